"""What ``doctor`` found: plain rows as they come, or a table on a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TextIO

from localdistill.display.catalogue_layout import printable
from localdistill.hardware import Machine
from localdistill.memory import size

_STYLES = {"held": "green", "GOT THROUGH": "bold red", "not covered": "yellow"}


class Row(Protocol):
    """One attack and what became of it."""

    @property
    def attack(self) -> str:
        """Its name."""

    @property
    def tried(self) -> str:
        """What was tried."""

    @property
    def outcome(self) -> str:
        """``held``, ``GOT THROUGH`` or ``not covered``."""

    @property
    def detail(self) -> str:
        """What got through, or why it is not covered."""


Show = Callable[[Row], None]


class Screen:
    """Plain rows, each with what was tried below it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def machine(self, machine: Machine) -> None:
        """What the machine is and has."""
        gpu = "a GPU" if machine.gpu else "no GPU"
        self.lines(
            [
                f"Machine: {machine.system} {machine.kernel} on {machine.architecture}, Python "
                f"{machine.python}",
                f"  {machine.cores} cores, {size(machine.memory)} of memory "
                f"({size(machine.available)} free), {gpu}",
            ]
        )

    def lines(self, lines: Sequence[str]) -> None:
        """Lines of text."""
        for line in lines:
            print(printable(line), file=self._stream, flush=True)

    @contextlib.contextmanager
    def table(self) -> Iterator[Show]:
        """Gives a function that shows one row at a time."""
        yield self._row

    def _row(self, row: Row) -> None:
        self.lines([f"{row.outcome:<12} {row.attack}: {row.tried}"])
        if row.detail:
            self.lines([f"{'':<12} -> {row.detail}"])


class RichScreen(Screen):
    """A table that grows."""

    @contextlib.contextmanager
    def table(self) -> Iterator[Show]:
        """Gives a function that shows one row at a time."""
        from rich.console import Console
        from rich.live import Live
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for heading in ("attack", "what was tried", "outcome"):
            table.add_column(heading, overflow="fold", no_wrap=heading == "outcome")

        def row(row: Row) -> None:
            tried = Text(row.tried, style="dim")
            if row.detail:
                tried.append(f"\n{printable(row.detail)}", style=_STYLES[row.outcome])
            table.add_row(Text(row.attack), tried, Text(row.outcome, style=_STYLES[row.outcome]))

        console = Console(file=self._stream, highlight=False, markup=False)
        with Live(table, console=console, refresh_per_second=4):
            yield row


def open_screen(stream: TextIO, *, rich: bool) -> Screen:
    """A table that grows where ``rich``, else plain rows."""
    return RichScreen(stream) if rich else Screen(stream)
