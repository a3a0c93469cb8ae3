"""The display of a run on a terminal: takes events at once, and paints now and then."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.text import Text

from localdistill.display.dashboard.drawing import fitted
from localdistill.display.dashboard.frame import frame
from localdistill.display.dashboard.glyphs import Glyphs, glyphs_for
from localdistill.display.dashboard.screen import Screen
from localdistill.display.dashboard.section import View
from localdistill.display.state import RunState
from localdistill.display.words import duration, figures
from localdistill.events import Event

_PATIENCE_S = 2.0  # with a terminal that takes nothing


@dataclass(frozen=True)
class Pace:
    """How often there is a look and a painting, in seconds."""

    look: float = 0.25  # at most, between two looks at the terminal's size, and at what is new
    paint: float = 0.5  # at least, between two paintings of what is new
    clock: float = 1.0  # and of the time alone


# Of a run that another process does: whatever wakes up takes a core from it for a moment, for which
# all its threads wait. The watcher, which looks for what is new, says when the display is to look,
# so that both wake up together, and no more often.
WATCHING = Pace(look=2.5, paint=0.0, clock=0.7)


class Dashboard:
    """One screen while it is open; afterwards the finished stages as lines on the usual one.

    Args:
        stream: a terminal.
        clock: by which events are timed, in seconds.
        keys: what the keys do, for the last line.
        pace: how often it is painted.
    """

    def __init__(
        self,
        stream: TextIO,
        clock: Callable[[], float] = time.monotonic,
        keys: str = "",
        pace: Pace = Pace(),  # cannot be changed
    ) -> None:
        self._pace = pace
        self.state = RunState()
        self.keys = keys
        self._clock = clock
        self._stream = stream
        self._glyphs = glyphs_for(getattr(stream, "encoding", None), os.environ)
        self._screen = Screen(stream)
        self._lock = threading.Lock()  # never held while something is written
        self._new = True
        self._over = threading.Event()
        self._awake = threading.Event()
        self._thread = threading.Thread(target=self._paint_on, name="dashboard", daemon=True)

    def __call__(self, event: Event, /) -> None:
        """Take one event, which happens now."""
        self.take(event, self._clock())

    def take(self, event: Event, at: float, *, quietly: bool = False) -> None:
        """Take one event, which happened ``at`` by the clock."""
        with self._lock:
            self.state.take(event, at)
            self._new = True

    def look(self) -> None:
        """Look now whether something is to be painted, and not only at the next moment for it."""
        self._awake.set()

    def frame(self, size: tuple[int, int]) -> list[Text]:
        """What is to be seen now on a terminal of ``size`` (columns, lines)."""
        with self._lock:
            self._new = False
            now = self.state.working_time(self._clock())
            view = View(self.state, now, size[0], self._glyphs, keys=self.keys)
            try:
                return frame(view, size[1])
            except Exception as error:  # a mistake in drawing must not cost a night's screen
                text = f" This cannot be drawn ({type(error).__name__}: {error}). The run goes on."
                return [fitted(Text(self._glyphs.text(text)), size[0], self._glyphs)]

    def __enter__(self) -> Self:
        self._screen.enter()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self._over.set()
        self._awake.set()
        self._thread.join(_PATIENCE_S)

    @property
    def stuck(self) -> bool:
        """The terminal takes nothing: whoever writes to this stream now waits, maybe for ever.

        The painting thread holds the stream's lock, for which no signal ends the waiting.
        """
        return self._over.is_set() and self._thread.is_alive()

    def show_record(self) -> None:
        """What stays in the terminal's history: a line for each finished stage and warning."""
        print_record(self.state, self._stream, self._glyphs)

    def _paint_on(self) -> None:
        size, painted = (0, 0), 0.0
        with contextlib.suppress(OSError, ValueError):  # the terminal is gone; the work goes on
            while not self._over.is_set():
                now, found = time.monotonic(), self._screen.size()
                since = now - painted
                if found != size or since >= (self._pace.paint if self._new else self._pace.clock):
                    size, painted = found, now
                    self._screen.paint(self.frame(size), size)
                self._awake.wait(self._pace.look)
                self._awake.clear()
        self._over.wait()  # where it could not be painted on, it can still be left
        with contextlib.suppress(OSError, ValueError):
            # In this thread too: it may wait for ever, which is told by ``stuck``.
            self._screen.leave()
            self.show_record()


def print_record(state: RunState, stream: TextIO, glyphs: Glyphs) -> None:
    """A line for each finished stage, and for each warning."""
    console = Console(file=stream, highlight=False, soft_wrap=True)
    number = 0
    for done in state.done:
        if done.round != number:
            number = done.round
            console.print(Text(f"Round {number} of {state.rounds}", "bold"))
        line = Text.assemble((f"  {glyphs.done} ", "green"), glyphs.text(done.title))
        told = "already done" if done.skipped else duration(done.ended - done.began)
        line.append(f"  {told}", "dim")
        if not done.skipped and done.summary:
            line.append(f"  {glyphs.text(figures(done.summary))}", "dim")
        console.print(line)
    for notice in state.notices:
        if notice.level == "warning":
            console.print(Text(f"  Warning: {glyphs.text(notice.message)}", "yellow"))
