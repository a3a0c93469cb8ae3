"""A calm screen on a terminal (Rich): what is done, what happens now, and how long it will take."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from localdistill.display.plain import STEERED
from localdistill.display.state import RunState, StageState
from localdistill.display.words import duration, figures, tamed
from localdistill.events import Event, Notice, RoundStarted, StageFinished, Steered

_REFRESH_PER_SECOND = 4
_BAR = 20  # columns


class LiveDisplay:
    """Finished stages scroll up as lines; those at work are redrawn below them."""

    def __init__(self, console: Console) -> None:
        self._state = RunState()
        self._live = Live(
            console=console,
            get_renderable=self.render,
            refresh_per_second=_REFRESH_PER_SECOND,
            transient=True,
        )

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        self._state.take(event)
        match event:
            case RoundStarted():
                self._live.console.print(Text(f"Round {event.round} of {event.rounds}", "bold"))
            case StageFinished():
                self._live.console.print(self._finished_line())
            case Steered():
                self._live.console.print(Text(f"  {STEERED[event.wish]}", "yellow"))
            case Notice():
                style = "yellow" if event.level == "warning" else "dim"
                self._live.console.print(Text(f"  {tamed(event.message)}", style))

    def _finished_line(self) -> Text:
        title, summary, skipped = self._state.history[-1]
        line = Text()
        line.append("  ✓ ", "green")
        line.append(title)
        shown = "already done" if skipped else figures(summary)
        if shown:
            line.append(f"  {shown}", "dim")
        return line

    def render(self) -> RenderableType:
        """The stages at work, as they stand now: a line each, and what they tell below them."""
        stages = self._state.at_work()
        if not stages:
            return Text("")
        now = self._state.working_time(time.monotonic())
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, justify="right")
        table.add_column(no_wrap=True)
        told = []
        for stage in stages:
            table.add_row(
                Text(f"  {stage.title}", "bold"),
                _bar(stage),
                Text(f"{stage.count('/', '~')} {stage.unit}"),
                Text(_times(stage, now), "dim"),
            )
            if info := figures(stage.info):
                which = f"{stage.title}: " if len(stages) > 1 else ""
                told.append(Text(f"    {which}{info}", "dim"))
        return Group(table, *told) if told else table

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self._live.stop()


def _bar(stage: StageState) -> RenderableType:
    if stage.total is None:
        return Text("")
    return ProgressBar(total=max(1, stage.total), completed=stage.done, width=_BAR)


def _times(stage: StageState, now: float) -> str:
    left = stage.time_left(now)
    since = duration(now - stage.began)
    return f"{since}, {left}" if left is not None else since


def open_display(stream: TextIO) -> LiveDisplay:
    """A live display on ``stream``, which should be a terminal."""
    return LiveDisplay(Console(file=stream, highlight=False))
