"""Two models' answers: side by side on a wide terminal, else one below the other, or plain."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.console import RenderableType

_SIDE_BY_SIDE = 100  # columns from which two answers fit beside each other
_KEPT = {"\n", "\t"}


@dataclass(frozen=True)
class Shown:
    """One answer with what stands above and below it."""

    model: str
    decoding: str
    text: str
    notes: str  # "41 tokens, cut at its length"
    outcome: str | None = None  # "passed", or how it failed; None: nothing was tested
    passed: bool = False


Pair = tuple[Shown, Shown]  # the old model's, then the new one's


class Screen(Protocol):
    """Shows what is going on, and then answers."""

    def working(self) -> contextlib.AbstractContextManager[Says]:
        """While the models are at work; gives a function that says at what."""

    def show(self, prompt: str, pairs: Sequence[Pair]) -> None:
        """The answers, one pair after the other."""


class Says(Protocol):
    """Says what is going on."""

    def __call__(self, what: str, /) -> None:
        """Say it."""


class PlainScreen:
    """Whole lines, one answer below the other."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @contextlib.contextmanager
    def working(self) -> Iterator[Says]:
        """Says nothing: what is shown are the answers."""
        yield lambda what: None

    def show(self, prompt: str, pairs: Sequence[Pair]) -> None:
        """The answers, one pair after the other."""
        for number, pair in enumerate(pairs, start=1):
            of = f", answer {number} of {len(pairs)}" if len(pairs) > 1 else ""
            for shown in pair:
                print(f"== {shown.model}{of} ({shown.decoding})", file=self._stream)
                print(printable(shown.text).strip("\n"), file=self._stream)
                outcome = f"{shown.outcome}; " if shown.outcome is not None else ""
                print(f"-- {printable(outcome)}{shown.notes}", file=self._stream)
        self._stream.flush()


class JsonScreen(PlainScreen):
    """One JSON object a prompt."""

    def show(self, prompt: str, pairs: Sequence[Pair]) -> None:
        """All answers as one line."""
        answers = [[vars(shown) for shown in pair] for pair in pairs]
        print(json.dumps({"prompt": prompt, "answers": answers}), file=self._stream, flush=True)


class RichScreen:
    """Panels, beside each other where the terminal is wide enough."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        self._console = Console(file=stream, highlight=False, markup=False)

    @contextlib.contextmanager
    def working(self) -> Iterator[Says]:
        """A line that moves and goes away again."""
        with self._console.status("") as status:
            yield status.update

    def show(self, prompt: str, pairs: Sequence[Pair]) -> None:
        """The answers, one pair after the other."""
        from rich.table import Table

        for pair in pairs:
            panels = [self._panel(shown) for shown in pair]
            if self._console.width < _SIDE_BY_SIDE:
                for panel in panels:
                    self._console.print(panel)
                continue
            grid = Table.grid(expand=True, padding=(0, 1, 0, 0))
            for _ in panels:
                grid.add_column(ratio=1)
            grid.add_row(*panels)
            self._console.print(grid)

    def _panel(self, shown: Shown) -> RenderableType:
        from rich import box
        from rich.panel import Panel
        from rich.text import Text

        said = Text(printable(shown.text).strip("\n"))
        if shown.outcome is not None:
            style = "bold green" if shown.passed else "bold red"
            said.append(f"\n\n{printable(shown.outcome)}", style)
        title = Text.assemble((f" {shown.model} ", "bold"), (f"{shown.decoding} ", "dim"))
        return Panel(
            said,
            title=title,
            title_align="left",
            subtitle=Text(f" {shown.notes} ", "dim"),
            subtitle_align="left",
            box=box.ROUNDED,
            border_style="dim",
        )


def open_screen(kind: str | None, stream: TextIO) -> Screen:
    """By ``--progress``; None: panels on a terminal, else plain."""
    if kind == "json":
        return JsonScreen(stream)
    rich = stream.isatty() if kind is None else kind == "live"
    return RichScreen(stream) if rich else PlainScreen(stream)


def printable(text: str) -> str:
    """``text`` without what could move a terminal's cursor or change its colours."""
    lines = text.replace("\r\n", "\n")
    return "".join(c if c.isprintable() or c in _KEPT else "�" for c in lines)
