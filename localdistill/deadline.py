"""How much of its ``--hours`` a run has left, over all calls that have worked on it.

A run's time is that in which a call of the command was at work. ``events.jsonl`` tells it: from
each call's first event to its last. A call that was killed counts up to its last sign of life.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from localdistill.event_log import recorded
from localdistill.events import RunStarted
from localdistill.work_clock import WorkClock

# Beyond the end, when a stage that still works is ended: there is a minute in all. A call that
# begins when time is over has so much to look at what is there, and to show it.
_GRACE_S, _LOOK_S = 20.0, 45.0
# To look at one round its model's file is read about ten times, for its hash.
_LOOK_S_PER_BYTE = 30e-9


class OutOfTime(Exception):
    """A stage was ended because the run's time, and more, was over."""


class Deadline:
    """The end of a run's time; ``hours`` None: there is none.

    Args:
        hours: of work, in all.
        worked: seconds of it that earlier calls have had.
        clock: ``time.monotonic``, in which stages are told when to end.
    """

    def __init__(
        self,
        hours: float | None,
        worked: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.hours = hours
        self._clock = clock
        self._began, self._look = clock(), _LOOK_S
        self._end = None if hours is None else clock() + 3600 * hours - worked

    @property
    def exists(self) -> bool:
        """Whether time is limited."""
        return self._end is not None

    def now(self) -> float:
        """The moment, as its clock has it."""
        return self._clock()

    def left(self) -> float:
        """Seconds until the end; infinite where there is none."""
        return float("inf") if self._end is None else self._end - self._clock()

    def moment(self, seconds: float) -> float | None:
        """The moment in ``seconds`` from now, or the end if that is sooner; None: no limit."""
        return None if self._end is None else min(self._end, self._clock() + seconds)

    def allow_a_look(self, size: int, rounds: int) -> None:
        """Leave time to look at ``rounds`` models of ``size`` bytes that are there already."""
        self._look = _LOOK_S + _LOOK_S_PER_BYTE * size * rounds

    def grace(self) -> float | None:
        """Seconds until a stage at work is ended, at least one; None where there is no limit."""
        if self._end is None:
            return None
        last = max(self._end + _GRACE_S, self._began + self._look)
        return max(1.0, last - self._clock())


def worked_seconds(events: Path) -> float:
    """Working time of the calls that ``events.jsonl`` tells of.

    A call at work writes an event every few seconds. Where there is a longer gap, or a negative
    one, the clock was set or the machine slept: that is no work.
    """
    clock = WorkClock()
    for row in recorded(events):
        clock.at(row.at, begins=isinstance(row.event, RunStarted))
    return clock.seconds
