"""One line for each thing that happened: for logs, pipes and screen readers."""

from __future__ import annotations

import time
from typing import TextIO

from localdistill.display.base import RunState, StreamDisplay, duration, figures
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
        self._last = 0.0

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        self._state.take(event)
        stage = self._state.stage
        match event:
            case RoundStarted():
                self._line(f"Round {event.round} of {event.rounds}")
            case StageStarted():
                self._last = time.monotonic()
                resumed = f", {event.done:,} done before" if event.done else ""
                self._line(f"  {event.title}: {event.total:,} {event.unit}{resumed}")
            case StageProgress() if stage and time.monotonic() - self._last >= _EVERY_S:
                self._last = time.monotonic()
                left = duration(stage.seconds_left(self._last))
                shown = figures(stage.info)
                rest = f"; {shown}" if shown else ""
                self._line(f"    {stage.done:,} of {stage.total:,}, {left} left{rest}")
            case StageFinished():
                title, summary, skipped = self._state.history[-1]
                how = "already done" if skipped else "done"
                shown = figures(summary)
                self._line(f"  {title} {how}" + (f": {shown}" if shown else ""))
            case Notice():
                self._line(("  Warning: " if event.level == "warning" else "  ") + event.message)

    def _line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


def open_display(stream: TextIO) -> PlainDisplay:
    """A plain display on ``stream``."""
    return PlainDisplay(stream)
