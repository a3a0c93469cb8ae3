"""A figure that changes over a training, kept small enough to be drawn at any time."""

from __future__ import annotations

MOST = 400  # points, more than a screen has columns for them; twice as coarse beyond


class Curve:
    """Values by how far the work has come (a share from 0 to 1), as they come."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float]] = []
        self._origin = 1.0  # the least share
        self._columns: tuple[float | None, ...] | None = None  # as they were asked for last
        self.last: float | None = None
        self.first: float | None = None

    def add(self, share: float, value: float) -> None:
        """Take one value; one that is not finite is left out."""
        if not abs(value) < float("inf"):
            return
        self.first = value if self.first is None else self.first
        self.last = value
        self._columns = None
        share = min(1.0, max(0.0, share))
        self._origin = min(self._origin, share)
        self.points.append((share, value))
        if len(self.points) > MOST:
            self.points = self.points[::2]

    def columns(self, count: int) -> tuple[float | None, ...]:
        """The mean of the values in each of ``count`` equal parts of the work; None: not yet.

        The first part begins with the first value. One between two others that have values takes
        what was there before.
        """
        if self._columns is None or len(self._columns) != count:
            self._columns = tuple(self._means(count))
        return self._columns

    def _means(self, count: int) -> list[float | None]:
        sums, numbers = [0.0] * (count + 1), [0] * (count + 1)
        origin = self._origin
        scale = count / max(1.0 - origin, 1e-9)
        for share, value in self.points:
            column = int((share - origin) * scale)
            sums[column] += value
            numbers[column] += 1
        sums[-2] += sums[-1]  # the very end of the work belongs to the last part
        numbers[-2] += numbers[-1]
        found = [
            total / known if known else None
            for total, known in zip(sums[:-1], numbers[:-1], strict=True)
        ]
        last = max((number for number, value in enumerate(found) if value is not None), default=-1)
        before: float | None = None
        for number in range(last + 1):
            before = found[number] = before if found[number] is None else found[number]
        return found
