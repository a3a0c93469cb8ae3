"""One line for each thing that happened: for logs, pipes and screen readers."""

from __future__ import annotations

import time
from typing import TextIO

from localdistill.display.base import RunState, StreamDisplay, figures
from localdistill.events import (
    Event,
    Notice,
    RoundStarted,
    StageFinished,
    StageProgress,
    StageStarted,
)

_EVERY_S = 15.0  # between two lines of progress of the same stage


class PlainDisplay(StreamDisplay):
    """Writes whole lines and never moves the cursor."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._state = RunState()
        self._last: dict[str, float] = {}  # by stage, when it was last spoken of

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        self._state.take(event)
        match event:
            case RoundStarted():
                self._line(f"Round {event.round} of {event.rounds}")
            case StageStarted():
                self._last[event.stage] = time.monotonic()
                resumed = f", {event.done:,} done before" if event.done else ""
                known = event.total is not None
                total = (
                    f"{event.total:,} {event.unit}" if known else f"{event.unit}, how many is open"
                )
                self._line(f"  {event.title}: {total}{resumed}")
            case StageProgress():
                self._progress(event.stage)
            case StageFinished():
                title, summary, skipped = self._state.history[-1]
                how = "already done" if skipped else "done"
                shown = figures(summary)
                self._line(f"  {title} {how}" + (f": {shown}" if shown else ""))
            case Notice():
                self._line(("  Warning: " if event.level == "warning" else "  ") + event.message)

    def _progress(self, name: str) -> None:
        stage, now = self._state.stages.get(name), time.monotonic()
        if stage is None or now - self._last[name] < _EVERY_S:
            return
        self._last[name] = now
        which = f"{stage.title}: " if len(self._state.at_work()) > 1 else ""
        left = f", {stage.time_left(now) or '- left'}" if stage.total is not None else " so far"
        shown = figures(stage.info)
        rest = f"; {shown}" if shown else ""
        self._line(f"    {which}{stage.count(' of ', 'about ')}{left}{rest}")

    def _line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


def open_display(stream: TextIO) -> PlainDisplay:
    """A plain display on ``stream``."""
    return PlainDisplay(stream)
