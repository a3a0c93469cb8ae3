"""Bars, curves and intervals as text of a given width."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar, cast

from rich.text import Text

from localdistill.display.dashboard.glyphs import Glyphs

GOOD, BAD, LATE, DIM, STRONG, NOW = "green", "red", "yellow", "dim", "bold", "cyan"
_KINDS = (GOOD, BAD, LATE)

_P = ParamSpec("_P")
_T = TypeVar("_T")


def keep(draw: Callable[_P, _T]) -> Callable[_P, _T]:
    """Have a part drawn anew only where what it shows has changed.

    Most of a screen has not since the last time, and what a watcher takes, it takes from the run.
    What ``draw`` returns is shared, and must not be changed.
    """
    kept: Any = functools.lru_cache(maxsize=256)(draw)  # its type has no arguments
    return cast("Callable[_P, _T]", kept)


def bar(share: float, width: int, glyphs: Glyphs, style: str = NOW) -> Text:
    """How much of a whole is done."""
    full = min(width, max(0, int(share * width)))
    if share >= 1:
        full = width
    return Text.assemble((glyphs.full * full, style), (glyphs.empty * (width - full), DIM))


def parts_bar(counts: Sequence[int], total: int, width: int, glyphs: Glyphs) -> Text:
    """Up to three kinds beside each other; what is left of ``total`` is still open.

    A kind that there is at all has a column, if there is room for one.
    """
    found = Text()
    total = max(total, sum(counts), 1)
    columns = [int(count * width / total) for count in counts]
    columns = [max(1, each) if count else 0 for each, count in zip(columns, counts, strict=True)]
    while sum(columns) > width:
        columns[columns.index(max(columns))] -= 1
    if sum(counts) == total and sum(columns) < width:
        columns[columns.index(max(columns))] += width - sum(columns)
    for each, character, style in zip(columns, glyphs.kinds, _KINDS, strict=False):
        found.append(character * each, style)
    found.append(glyphs.empty * (width - sum(columns)), DIM)
    return found


def curve(values: Sequence[float | None], rows: int, glyphs: Glyphs, style: str) -> list[Text]:
    """A column for each value, ``rows`` lines high, from the least to the greatest of them."""
    known = [value for value in values if value is not None]
    if not known:
        return [Text(" " * len(values)) for _ in range(rows)]
    low, high = min(known), max(known)
    levels = len(glyphs.levels)
    heights = []
    for value in values:
        share = 0.0 if value is None or high == low else (value - low) / (high - low)
        heights.append(0 if value is None else 1 + round(share * (rows * levels - 1)))
    lines = []
    for row in reversed(range(rows)):
        over = [min(levels, max(0, height - row * levels)) for height in heights]
        lines.append(Text("".join(glyphs.levels[n - 1] if n else " " for n in over), style))
    return lines


def interval(low: float, value: float, high: float, width: int, glyphs: Glyphs) -> Text:
    """Where ``value`` lies between 0 and 1, with its interval: ``   ├──●──┤    ``."""
    columns = [min(width - 1, max(0, int(each * width))) for each in (low, value, high)]
    left, point, right = columns
    text = list(" " * width)
    for place in range(left, right + 1):
        text[place] = glyphs.line
    text[left], text[right] = glyphs.ends
    text[point] = glyphs.point
    found = Text("".join(text), DIM)
    found.stylize(STRONG, point, point + 1)
    return found


def spread(left: Text, right: Text, width: int, glyphs: Glyphs) -> Text:
    """One line with a part at either end: the right one whole if it fits, the left one cut."""
    if not right.cell_len:
        return fitted(left, width, glyphs)
    if right.cell_len + 2 > width:
        return fitted(right, width, glyphs)
    left = fitted(left, width - right.cell_len - 2, glyphs)
    return Text.assemble(left, " " * (width - left.cell_len - right.cell_len), right)


def fitted(line: Text, width: int, glyphs: Glyphs) -> Text:
    """``line`` cut to ``width`` columns, with a sign that it was."""
    if line.cell_len <= width:
        return line
    short = line.copy()
    short.truncate(max(0, width - len(glyphs.more)), overflow="crop")
    short.rstrip()
    return short.append(glyphs.more[:width])


def wrapped(text: str, width: int, most: int, glyphs: Glyphs) -> list[str]:
    """``text`` in at most ``most`` lines of ``width`` characters, broken between words."""
    lines = [""]
    for word in text.split():
        piece = f"{lines[-1]} {word}" if lines[-1] else word
        if len(piece) <= width or not lines[-1]:
            lines[-1] = piece
        elif len(lines) < most:
            lines.append(word)
        else:
            lines[-1] = f"{piece[: width - len(glyphs.more)]}{glyphs.more}"
            break
    return lines
