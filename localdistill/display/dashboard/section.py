"""What sections are made from, and of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.text import Text

from localdistill.display.dashboard.drawing import DIM
from localdistill.display.dashboard.glyphs import Glyphs
from localdistill.display.state import RunState

LABEL = 10  # columns, before what a line shows


@dataclass(frozen=True)
class View:
    """A state at one moment, and how much room there is for it."""

    state: RunState
    now: float  # on the clock of ``RunState.working_time``
    width: int
    glyphs: Glyphs
    roomy: bool = False  # there are lines to spare
    keys: str = ""  # what they do; empty: none are read


@dataclass(frozen=True)
class Section:
    """A few lines on one subject. Lower ``rank`` is more important.

    It is left out if there is no room for ``least`` lines. It likes to have ``likes``, and has no
    use for more than there are.
    """

    lines: Sequence[Text]
    rank: int
    least: int = 1
    likes: int = 1
    keep_first: int = 0  # where lines must go: these stay, then the last ones do
    gap: bool = field(default=True)  # likes an empty line above it
    # Where a message begins, of sections that are cut between messages; empty: between any lines.
    heads: frozenset[int] = frozenset()

    # To show instead where there is no room for all of them: ``least`` lines.
    instead: tuple[Text, ...] = ()

    def cut(self, count: int) -> list[Text]:
        """``count`` of the lines."""
        lines = list(self.lines)
        if count >= len(lines):
            return lines
        if self.instead:
            return [*self.instead, *[Text("")] * count][:count]
        first = min(self.keep_first, count)
        start = len(lines) - (count - first)
        if self.heads and start not in self.heads:
            later = [head for head in self.heads if head > start]
            if not later:  # the last message is longer than there is room: its beginning
                last = max(self.heads)
                return lines[last : last + count]
            start = min(later)
        kept = lines[:first] + lines[start:]
        return kept + [Text("")] * (count - len(kept))


def labelled(label: str, *rest: Text | str) -> Text:
    """A line that begins with a label of ``LABEL`` columns."""
    return Text.assemble((f"{label[: LABEL - 1]:{LABEL}}", DIM), *rest)


def name_of(model: str) -> str:
    """A model's name from its path, for a title."""
    path = Path(model)
    return path.stem if path.suffix == ".gguf" else path.name
