"""Puts a frame on a terminal by writing what differs from the frame before.

The frame is on the terminal's alternate screen: what stood there before comes back when it is left,
and a resize cannot mix it up with older lines.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TextIO

from rich.console import COLOR_SYSTEMS, Console
from rich.segment import Segment
from rich.text import Text

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"  # alternate screen, no cursor, nothing on it
_LEAVE = "\x1b[?25h\x1b[?1049l"
_CLEAR = "\x1b[2J"
# Terminals that know it show what is between at once; the others ignore it.
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"
_SMALLEST = (20, 4)


class Screen:
    """The alternate screen of ``stream``'s terminal, for one thread."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._console = Console(file=stream, highlight=False)  # knows NO_COLOR, TERM, COLORTERM
        self._colors = COLOR_SYSTEMS.get(self._console.color_system or "")
        self._shown: list[Text] = []
        self._size = (0, 0)
        self._entered = False

    def size(self) -> tuple[int, int]:
        """Columns and lines of the terminal now."""
        try:
            found = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):  # no terminal, or it is gone
            return 80, 24
        columns, lines = found.columns or 80, found.lines or 24
        return max(_SMALLEST[0], columns), max(_SMALLEST[1], lines)

    def enter(self) -> None:
        """Turn to the alternate screen."""
        if not self._entered:
            self._entered = True
            self._write(_ENTER)

    def leave(self) -> None:
        """Bring back what was there before."""
        if self._entered:
            self._entered = False
            self._shown = []
            self._write(_LEAVE)

    def paint(self, lines: list[Text], size: tuple[int, int]) -> int:
        """Show ``lines``; how many of them were written, for they had changed."""
        parts = []
        if size != self._size:
            self._size, self._shown = size, []
            parts.append(_CLEAR)
        changed = 0
        for number, line in enumerate(lines):
            if number < len(self._shown) and _alike(self._shown[number], line):
                continue
            changed += 1
            parts.append(f"\x1b[{number + 1};1H{self.encoded(line)}\x1b[K")
        if len(lines) < len(self._shown):
            parts.append(f"\x1b[{len(lines) + 1};1H\x1b[J")
        self._shown = lines
        if parts:
            self._write(f"{_BEGIN}{''.join(parts)}{_END}")
        return changed

    def encoded(self, line: Text) -> str:
        """``line`` with the escape sequences of its styles."""
        # Not printed, which would lay it out first: that takes four times as long.
        styled = line if line.spans else Text.assemble(line)  # else the style of the whole is lost
        segments: Iterable[Segment] = styled.render(self._console)
        if self._console.no_color:
            segments = Segment.remove_color(segments)
        return "".join(
            style.render(text, color_system=self._colors) if style else text
            for text, style, _ in segments
        )

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _alike(one: Text, other: Text) -> bool:
    # Rich's own comparison passes over the style of the whole.
    return one is other or (one == other and one.style == other.style)
