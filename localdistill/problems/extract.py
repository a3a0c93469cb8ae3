"""Takes the program out of a completion. Nothing is ever added to the program."""

from __future__ import annotations

from localdistill.fences import BlockReader, definition
from localdistill.thinking import answer_of
from localdistill.types import Problem


def extract_code(text: str, problem: Problem) -> str | None:
    """The last fenced block that defines the entry point, else the last one, else the whole text.

    What a thinking model thought before it answered is left out. A block that was cut off reaches
    to the end of the text. Blank blocks do not count. Lines end in ``\\n``. None if there is
    nothing but blanks, or nothing but blank blocks.
    """
    text = answer_of(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    blocks = _blocks(text)
    if not blocks:
        return text if text.strip() else None
    blocks = [block for block in blocks if block.strip()]
    if not blocks:
        return None
    if problem.entry_point:
        defines = definition(problem.entry_point)
        for block in reversed(blocks):
            if defines.search(block):
                return block
    return blocks[-1]


def _blocks(text: str) -> list[str]:
    reader = BlockReader()
    for line in text.split("\n"):
        reader.read(line)
    return [block.text() for block in reader.blocks]
