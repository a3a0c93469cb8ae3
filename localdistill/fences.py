"""Fenced blocks of code in what a model says, and what such a block defines.

Fences follow CommonMark, with what models do beyond it: a fence may be indented by any amount, and
one with a language inside an open block begins a new block.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_FENCE = re.compile(r"(?P<indent>[ \t]*)(?P<mark>`{3,}|~{3,})(?P<info>.*)")


@dataclass
class Block:
    """One fenced block. Its fences' indentation is taken off its lines."""

    indent: int
    mark: str
    lines: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The lines between the fences, each with its newline."""
        return "".join(line + "\n" for line in self.lines)


class BlockReader:
    """Finds blocks while it is given a text line by line, without their ``\\n``."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []  # the last one may still be open
        self._open: Block | None = None

    @property
    def inside(self) -> bool:
        """Whether the next line stands inside of a block."""
        return self._open is not None

    def read(self, line: str) -> Block | None:
        """Take the next line; the block that this line closes, if it is a closing fence."""
        block = self._open
        fence = _FENCE.fullmatch(line)
        if block is None:
            if fence and _opens(fence):
                self._begin(fence)
        elif fence and fence["mark"].startswith(block.mark) and not fence["info"].strip():
            self._open = None
            return block
        elif fence and fence["mark"] == block.mark and _opens(fence):
            # The closing fence was forgotten: no program has such a line.
            self._begin(fence)
        else:
            blanks = len(line) - len(line.lstrip(" \t"))
            block.lines.append(line[min(block.indent, blanks) :])
        return None

    def _begin(self, fence: re.Match[str]) -> None:
        self._open = Block(len(fence["indent"]), fence["mark"])
        self.blocks.append(self._open)


def _opens(fence: re.Match[str]) -> bool:
    # ```x``` on one line is inline code.
    return fence["mark"][0] == "~" or "`" not in fence["info"]


def definition(entry_point: str) -> re.Pattern[str]:
    """Matches where a module defines ``entry_point`` (of ``Solution.method``: the class).

    Not by parsing: a program that was cut off does not parse.
    """
    name = re.escape(entry_point.partition(".")[0])
    return re.compile(
        rf"^(?:(?:(?:async[ \t]+)?def|class)[ \t]+{name}\b|{name}[ \t]*(?::[^=\n]+)?=(?!=))",
        re.MULTILINE,
    )
