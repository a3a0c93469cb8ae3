"""Lays the sections out: in one column, or in two where there is the width for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from rich.text import Text

from localdistill.display.dashboard import around, found, head, work
from localdistill.display.dashboard.drawing import fitted
from localdistill.display.dashboard.section import Section, View

_TWO_COLUMNS = 110  # columns of the terminal, from which on there are two of text
_ROOMY = 34  # lines, from which on curves are high
_CRAMPED = 16  # lines, up to which none is left empty below the title
_LEFT_SHARE = 0.55
_LEFT: tuple[Callable[[View], Section | None], ...] = (
    work.work,
    found.verdicts,
    found.selection,
    found.losses,
    found.scores,
)
_RIGHT: tuple[Callable[[View], Section | None], ...] = (
    around.gauges,
    around.finished,
    around.notices,
)


def frame(view: View, height: int) -> list[Text]:
    """Exactly ``height`` lines, none wider than ``view.width``."""
    view = replace(view, roomy=height >= _ROOMY)
    top = [head.header(view), head.strip(view)]
    foot = head.footer(view)
    if view.width < _TWO_COLUMNS:
        body = [section for make in (*_LEFT, *_RIGHT) if (section := make(view))]
        lines = arrange([*top, *body, foot], height)
    else:
        above = arrange(top, min(height, 4 if height > _CRAMPED else 3), foot=False)
        below = foot.cut(min(2, max(0, height - len(above))))
        room = height - len(above) - len(below)
        wide = int(view.width * _LEFT_SHARE)
        left = _column(_LEFT, replace(view, width=wide - 1), room)
        right = _column(_RIGHT, replace(view, width=view.width - wide - 1), room)
        lines = [*above, *_beside(left, right, wide), *below]
    return [fitted(line, view.width, view.glyphs) for line in lines[:height]]


def _column(
    makers: Sequence[Callable[[View], Section | None]], view: View, height: int
) -> list[Text]:
    return arrange([section for make in makers if (section := make(view))], height, foot=False)


def _beside(left: list[Text], right: list[Text], wide: int) -> list[Text]:
    return [
        Text.assemble(one, " " * (wide - one.cell_len), other)
        for one, other in zip(left, right, strict=True)
    ]


def arrange(sections: list[Section], height: int, *, foot: bool = True) -> list[Text]:
    """The lines of ``sections`` in ``height`` lines; with ``foot`` the last ones at the bottom.

    What is most important gets its least first, then what it likes; then come empty lines between
    sections, and what is left goes to those who can use it.
    """
    given = [0] * len(sections)
    order = sorted(range(len(sections)), key=lambda number: sections[number].rank)
    room = height
    for number in order:
        least = min(sections[number].least, len(sections[number].lines))
        if least <= room:
            given[number], room = least, room - least
    for number in order:
        room = _extend(
            given, number, min(sections[number].likes, len(sections[number].lines)), room
        )
    gaps = {0: False}
    for number in order:
        gaps[number] = bool(number and room and given[number] and sections[number].gap)
        room -= gaps[number]
    for number in order:
        room = _extend(given, number, len(sections[number].lines), room)
    blocks = [
        ([Text("")] if gaps[number] else []) + section.cut(given[number])
        for number, section in enumerate(sections)
    ]
    rest = [Text("") for _ in range(room)]
    last = blocks.pop() if foot and blocks else []
    return [line for block in blocks for line in block] + rest + last


def _extend(given: list[int], number: int, wanted: int, room: int) -> int:
    """Give section ``number`` up to ``wanted`` lines, if it is shown at all; what is then left."""
    if given[number]:
        more = min(room, max(0, wanted - given[number]))
        given[number] += more
        room -= more
    return room
