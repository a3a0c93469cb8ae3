"""A clock that runs while a run is at work, told by the times of its events.

Those are Unix times. A machine that slept, or whose clock was set, leaves a gap or a step back
between two events: that is no work.
"""

from __future__ import annotations

LONGEST_GAP_S = 120.0  # between two events of a call at work on a busy machine


class WorkClock:
    """Seconds of work up to the last event that it was told of."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._last: float | None = None

    def at(self, stamp: float, *, begins: bool = False) -> float:
        """The moment of an event at Unix time ``stamp``.

        ``begins``: a call of the run begins with it, before which nothing was at work.
        """
        if self._last is not None and not begins:
            gap = stamp - self._last
            self.seconds += gap if 0 <= gap <= LONGEST_GAP_S else 0.0
        self._last = stamp
        return self.seconds
