"""Another process's run, looked at and never touched: its events, and whether it is at work."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from localdistill import file_lock
from localdistill.event_log import event_of
from localdistill.events import BEAT_S, Recorded, RunStarted
from localdistill.run_dir import RunDir
from localdistill.work_clock import LONGEST_GAP_S, WorkClock

_AFTER_S = 0.1  # a beat, by which the run has written
_NEAR_S = 0.05  # before that moment: it is now


class RunClock:
    """The clock of a run that another process does: seconds in which it was at work.

    Between two events it goes on by this machine's clock that never jumps. How old the last one
    was when it was read is the only thing that Unix time is asked for.
    """

    def __init__(
        self,
        steady: Callable[[], float] = time.monotonic,
        unix: Callable[[], float] = time.time,
    ) -> None:
        self._steady, self._unix = steady, unix
        self._work = WorkClock()
        self._age, self._read = 0.0, steady()

    def at(self, recorded: Recorded) -> float:
        """When an event happened, in the order in which they are read."""
        begins = isinstance(recorded.event, RunStarted)
        age = self._unix() - recorded.at
        self._age, self._read = (age if 0 <= age <= LONGEST_GAP_S else 0.0), self._steady()
        return self._work.at(recorded.at, begins=begins)

    def now(self) -> float:
        """The moment."""
        return self._work.seconds + self._age + self._steady() - self._read


class Recording:
    """The events that a run has written, as they come.

    A last line that is not whole yet is read again later: a kill may have torn it, and the next
    call of the run cuts it off. Lines that are none of ours are passed over.
    """

    def __init__(self, directory: RunDir) -> None:
        self._path = directory.events
        self._offset = 0
        self._identity: tuple[int, int] | None = None
        self._written = 0.0  # when the file was, in Unix time
        self._found = False  # whether the last look found something new

    def new(self) -> list[Recorded]:
        """What has been written since the last look; nothing where there is no file."""
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return []
        with file:
            found = os.fstat(file.fileno())
            identity = (found.st_dev, found.st_ino)
            if self._identity not in (None, identity) or found.st_size < self._offset:
                self._offset = 0  # another file
            self._identity, self._written = identity, found.st_mtime
            file.seek(self._offset)
            block = file.read()
        self._found = bool(block)
        whole = block[: block.rfind(b"\n") + 1]
        self._offset += len(whole)
        return [row for line in whole.splitlines() if (row := event_of(line)) is not None]

    def until_next(self) -> float:
        """Seconds until it is worth to look again, in the run's own beat.

        After a look that has found something: at the second beat from now. What is written at the
        first is less than two seconds old even then (if the run has written within ``_AFTER_S`` of
        each beat, which a machine may be too busy for). After one that has found nothing: at the
        next. So those who watch a run look at the same moments, which disturbs it less: all its
        threads wait for the one that has lost its core, and ten that look at ten moments stop it
        ten times (``benchmarks/watchers.py``).
        """
        left = (self._written + _AFTER_S - time.time()) % BEAT_S
        if left < _NEAR_S:
            left += BEAT_S
        return left + BEAT_S if self._found else left


def is_at_work(directory: RunDir) -> bool:
    """Whether a run, or a stage that it has left behind, works in ``directory`` now.

    The lock that is tried, for the moment that it takes, is not the one by which a second run is
    refused, but the one of its stages, which a run that begins tries for a minute.
    """
    return file_lock.is_held(directory.stages_at_work)
