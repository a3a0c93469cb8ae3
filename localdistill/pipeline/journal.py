"""Passes a run's events on to its display, and keeps them in ``events.jsonl`` for others.

What the display shows is in the file less than a second later: of progress, of which there may be
much more, the last event of each stage is written at each beat (``events.BEAT_S``). So the file
grows by about 350 bytes a second for each stage at work, 13 MB in ten hours.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

from localdistill.events import (
    BEAT_S,
    Callback,
    Event,
    Notice,
    Recorded,
    RunFinished,
    StageProgress,
    Usage,
)
from localdistill.gauges import Gauges
from localdistill.jsonl import JsonlWriter

_USAGE_S = 5.0  # between two looks at the machine
_PATIENCE_S = 5.0  # with a driver of a GPU that does not answer, at the end


class Journal:
    """Keeps events from when the run has really begun.

    Until then they are held back: a call that is refused leaves the directory as it was.
    """

    def __init__(
        self,
        callback: Callback,
        look: Callable[[], Usage] | None = None,
        over: threading.Event | None = None,
    ) -> None:
        self.callback = callback
        self.look = look
        self.said: set[str] = set()
        self.ended = False
        self.waiting: list[Recorded] = []
        self.latest: dict[str, Recorded] = {}  # by stage: progress that is not in the file yet
        self.file: JsonlWriter | None = None
        self.due = 0.0  # when the next beat is, by ``time.monotonic``
        # Held while the display is told: events come from several threads, one at a time.
        self.lock = threading.RLock()
        self.over = over or threading.Event()
        # Two, as a driver that does not answer must not keep what happens from the file.
        self.threads = [
            threading.Thread(target=beat, name=name, daemon=True)
            for name, beat in (("journal", self._beat), ("gauges", self._watch_machine))
        ]

    def __call__(self, event: Event, /) -> None:
        """Take one event, from any thread."""
        with self.lock:
            if self.ended and isinstance(event, Usage):
                return  # how the run ended is the last that is told of it
            self.ended = self.ended or isinstance(event, RunFinished)
            recorded = Recorded(at=time.time(), event=event)
            if isinstance(event, StageProgress):
                self.latest[event.stage] = recorded
            else:
                self._flush()
                self._write(recorded)
            if isinstance(event, Notice):
                if event.message in self.said:  # each use of the sandbox says what it covers
                    return
                self.said.add(event.message)
            self.callback(event)

    def open(self, path: Path) -> None:
        """The run has begun: keep events in ``path``, and look at the machine now and then."""
        with self.lock:
            self.file = JsonlWriter(path)
            self.file.write(*self.waiting)
            self.due = time.monotonic() + BEAT_S
        for thread in self.threads:
            thread.start()

    def close(self) -> None:
        """Write what is left."""
        self.over.set()
        for thread in self.threads:
            if thread.ident is not None:
                thread.join(_PATIENCE_S)
        with self.lock:
            if self.file is not None:
                self._flush()
                self.file.close()
                self.file = None

    def _write(self, recorded: Recorded) -> None:
        if self.file is not None:
            self.file.write(recorded)
            self.due = time.monotonic() + BEAT_S  # who watches reckons from the file's time
        else:
            self.waiting.append(recorded)

    def _flush(self) -> None:
        while self.latest:
            self._write(self.latest.pop(next(iter(self.latest))))

    def _beat(self) -> None:
        while not self.over.wait(max(0.0, self.due - time.monotonic())):
            with self.lock:
                now = time.monotonic()
                if now >= self.due:  # else something was written meanwhile: the beat goes by that
                    self.due = max(self.due + BEAT_S, now)
                    self._suppressed(self._flush)

    def _watch_machine(self) -> None:
        look = self.look or Gauges().read
        while True:
            self._suppressed(lambda: self(look()))
            if self.over.wait(_USAGE_S):
                return

    @staticmethod
    def _suppressed(action: Callable[[], None]) -> None:
        # A full disk, or a display that is gone, is met by the run's own next event.
        with contextlib.suppress(OSError):
            action()
