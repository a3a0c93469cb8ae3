"""Takes the program out of a completion.

Fences follow CommonMark, with what models do beyond it: a fence may be indented by any amount, and
one with a language inside an open block begins a new block. Nothing is ever added to the program.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from localdistill.types import Problem

_FENCE = re.compile(r"(?P<indent>[ \t]*)(?P<mark>`{3,}|~{3,})(?P<info>.*)")


def extract_code(text: str, problem: Problem) -> str | None:
    """The last fenced block that defines the entry point, else the last one, else the whole text.

    A block that was cut off reaches to the end of the text. Blank blocks do not count. Lines end in
    ``\\n``. None if there is nothing but blanks, or nothing but blank blocks.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    blocks = _blocks(text)
    if not blocks:
        return text if text.strip() else None
    blocks = [block for block in blocks if block.strip()]
    if not blocks:
        return None
    if problem.entry_point:
        definition = _definition(problem.entry_point)
        for block in reversed(blocks):
            if definition.search(block):
                return block
    return blocks[-1]


@dataclass
class _Block:
    indent: int
    mark: str
    lines: list[str] = field(default_factory=list)

    def text(self) -> str:
        return "".join(line + "\n" for line in self.lines)


def _blocks(text: str) -> list[str]:
    found: list[_Block] = []
    block: _Block | None = None
    for line in text.split("\n"):
        fence = _FENCE.fullmatch(line)
        if block is None:
            if fence and _opens(fence):
                block = _Block(len(fence["indent"]), fence["mark"])
                found.append(block)
        elif fence and fence["mark"].startswith(block.mark) and not fence["info"].strip():
            block = None
        elif fence and fence["mark"] == block.mark and _opens(fence):
            # The closing fence was forgotten: no program has such a line.
            block = _Block(len(fence["indent"]), fence["mark"])
            found.append(block)
        else:
            blanks = len(line) - len(line.lstrip(" \t"))
            block.lines.append(line[min(block.indent, blanks) :])
    return [item.text() for item in found]


def _opens(fence: re.Match[str]) -> bool:
    # ```x``` on one line is inline code.
    return fence["mark"][0] == "~" or "`" not in fence["info"]


def _definition(entry_point: str) -> re.Pattern[str]:
    """Matches where a module defines ``entry_point`` (of ``Solution.method``: the class).

    Not by parsing: a program that was cut off does not parse.
    """
    name = re.escape(entry_point.partition(".")[0])
    return re.compile(
        rf"^(?:(?:(?:async[ \t]+)?def|class)[ \t]+{name}\b|{name}[ \t]*(?::[^=\n]+)?=(?!=))",
        re.MULTILINE,
    )
