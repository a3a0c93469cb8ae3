"""One line for each thing that happened: for logs, pipes and screen readers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self, TextIO

from localdistill.display.answers import printable
from localdistill.display.base import StreamDisplay
from localdistill.display.state import RunState
from localdistill.display.words import figures, steer
from localdistill.events import (
    Event,
    Notice,
    RoundStarted,
    StageFinished,
    StageProgress,
    StageStarted,
    Steered,
)

STEERED = {
    "pause": "Paused after this batch.",
    "resume": "Going on.",
    "stop": "Stopping after this batch; the same command goes on from here.",
}
_EVERY_S = 15.0  # between two lines of progress of the same stage


class PlainDisplay(StreamDisplay):
    """Writes whole lines and never moves the cursor.

    ``clock`` is the one by which events are timed, in seconds; ``keys`` what keys do, if any.
    """

    def __init__(
        self, stream: TextIO, clock: Callable[[], float] | None = None, keys: str = ""
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._keys = keys
        self._state = RunState()
        self._last: dict[str, float] = {}  # by stage, when it was last spoken of

    def __enter__(self) -> Self:
        if self._keys:
            self._line(f"Keys: {self._keys}.")
        return self

    def __call__(self, event: Event, /) -> None:
        """Take one event, which happens now."""
        self.take(event, (self._clock or time.monotonic)())

    def take(self, event: Event, at: float, *, quietly: bool = False) -> None:
        """Take one event, which happened ``at``."""
        said = len(self._state.notices)
        self._state.take(event, at)
        match event:
            case RoundStarted():
                self._line(f"Round {event.round} of {event.rounds}")
            case StageStarted():
                self._last[event.stage] = at
                resumed = f", {event.done:,} done before" if event.done else ""
                known = event.total is not None
                total = (
                    f"{event.total:,} {event.unit}" if known else f"{event.unit}, how many is open"
                )
                self._line(f"  {event.title}: {total}{resumed}")
            case StageProgress() if not quietly:
                self._progress(event.stage, at)
            case StageFinished():
                title, summary, skipped = self._state.history[-1]
                how = "already done" if skipped else "done"
                shown = figures(summary)
                self._line(f"  {title} {how}" + (f": {shown}" if shown else ""))
            case Steered():
                key = " p goes on." if event.wish == "pause" and steer(self._keys) else ""
                self._line(f"  {STEERED[event.wish]}{key}")
            case Notice() if len(self._state.notices) > said:
                self._line(("  Warning: " if event.level == "warning" else "  ") + event.message)

    def _progress(self, name: str, now: float) -> None:
        stage = self._state.stages.get(name)
        if stage is None or now - self._last[name] < _EVERY_S:
            return
        self._last[name] = now
        which = f"{stage.title}: " if len(self._state.at_work()) > 1 else ""
        worked = self._state.working_time(now)
        left = f", {stage.time_left(worked) or '- left'}" if stage.total is not None else " so far"
        shown = figures(stage.info)
        rest = f"; {shown}" if shown else ""
        self._line(f"    {which}{stage.count(' of ', 'about ')}{left}{rest}")

    def _line(self, text: str) -> None:
        print(printable(text).replace("\n", " "), file=self._stream, flush=True)


def open_display(stream: TextIO) -> PlainDisplay:
    """A plain display on ``stream``."""
    return PlainDisplay(stream)
