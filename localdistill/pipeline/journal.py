"""The events of a run: passed on, and kept in ``events.jsonl``."""

from __future__ import annotations

import time
from pathlib import Path

from localdistill.events import Callback, CallStarted, Event, Notice, Recorded
from localdistill.jsonl import JsonlWriter


class Journal:
    """Passes events on; keeps them in ``events.jsonl`` from when the run has really begun.

    Until then they are held back: a call that is refused leaves the directory as it was.
    """

    def __init__(self, callback: Callback) -> None:
        self.callback = callback
        self.said: set[str] = set()
        self.waiting: list[Recorded] = []
        self.file: JsonlWriter | None = None

    def begin(self) -> None:
        """Note that a call begins, for those who reckon with its time."""
        self.waiting.append(Recorded(at=time.time(), event=CallStarted()))

    def __call__(self, event: Event, /) -> None:
        """Take one event. What has been said in the same words is kept and not said again."""
        recorded = Recorded(at=time.time(), event=event)
        if self.file is not None:
            self.file.write(recorded)
        else:
            self.waiting.append(recorded)
        if isinstance(event, Notice):
            if event.message in self.said:  # each use of the sandbox says what it covers
                return
            self.said.add(event.message)
        self.callback(event)

    def open(self, path: Path) -> None:
        """Begin to keep events in ``path``, those that were held back first."""
        self.file = JsonlWriter(path)
        self.file.write(*self.waiting)

    def close(self) -> None:
        """Bring what was kept to the disk."""
        if self.file is not None:
            self.file.close()
