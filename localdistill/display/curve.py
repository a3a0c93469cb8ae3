"""A figure that changes over a training, kept small enough to be drawn at any time."""

from __future__ import annotations

MOST = 400  # points, more than a screen has columns for them; twice as coarse beyond


class Curve:
    """Values by how far the work has come (a share from 0 to 1), as they come."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float]] = []
        self.last: float | None = None
        self.first: float | None = None
        self._origin = 1.0  # the least share
        # Of each column that was asked for last, and of one for the very end of the work; kept, as
        # each new value changes one of them.
        self._sums: list[float] = []
        self._numbers: list[int] = []

    def add(self, share: float, value: float) -> None:
        """Take one value; one that is not finite is left out."""
        if not abs(value) < float("inf"):
            return
        self.first = value if self.first is None else self.first
        self.last = value
        share = min(1.0, max(0.0, share))
        self.points.append((share, value))
        if len(self.points) > MOST:
            self.points = self.points[::2]
            self._sums = []
        if share < self._origin:
            self._origin, self._sums = share, []
        if self._sums:
            self._put(share, value)

    def columns(self, count: int) -> tuple[float | None, ...]:
        """The mean of the values in each of ``count`` equal parts of the work; None: not yet.

        The first part begins with the first value. One between two others that have values takes
        what was there before.
        """
        if len(self._sums) != count + 1:
            self._sums, self._numbers = [0.0] * (count + 1), [0] * (count + 1)
            for share, value in self.points:
                self._put(share, value)
        sums, numbers = self._sums[:-1], self._numbers[:-1]
        sums[-1] += self._sums[-1]  # the very end belongs to the last part
        numbers[-1] += self._numbers[-1]
        found: list[float | None] = []
        before, waiting = None, 0  # parts without values that may be between two that have some
        for total, number in zip(sums, numbers, strict=True):
            if not number:
                waiting += 1
                continue
            found += [before] * waiting
            before, waiting = total / number, 0
            found.append(before)
        return (*found, *[None] * waiting)

    def _put(self, share: float, value: float) -> None:
        scale = (len(self._sums) - 1) / max(1.0 - self._origin, 1e-9)
        column = int((share - self._origin) * scale)
        self._sums[column] += value
        self._numbers[column] += 1
