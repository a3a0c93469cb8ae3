"""Tells, while a text grows, when its first block of code that is a program is complete."""

from __future__ import annotations

import re

from localdistill.fences import BlockReader, definition

# What a program has that a command line, an example of a call or of an output does not have: it
# defines something, or it reads its input.
_PROGRAM = re.compile(r"^(?:(?:async[ \t]+)?def|class)[ \t]|\binput\(|\bstdin\b|\bopen\(0", re.M)


class CodeBlocks:
    """The fenced blocks of one growing text, found as ``extract_code`` finds them in a whole one.

    A block is complete with the newline after its closing fence: until then, the fence may still
    become one with a language, which opens another block.

    Args:
        entry_point: what the block has to define. None: not known, and a block counts that defines
            any function or class, or reads an input.
    """

    def __init__(self, entry_point: str | None = None) -> None:
        self._program = definition(entry_point) if entry_point else _PROGRAM
        self._reader = BlockReader()
        self._waiting: list[bytes] = []  # after the last line that was read
        self._marked = False  # whether a fence may be among them
        self._begun = False  # whether a line was read
        self._newlines = 0  # from the closing fence on

    def feed(self, piece: bytes) -> bool:
        """Take the bytes of the next token; whether a line in them completes the program."""
        self._waiting.append(piece)
        if not self._marked:
            if b"`" not in piece and b"~" not in piece:
                return False
            self._marked = True
        if b"\n" not in piece:
            return False
        *lines, rest = b"".join(self._waiting).split(b"\n")
        self._waiting = [rest]
        self._marked = b"`" in rest or b"~" in rest
        for number, line in enumerate(lines):
            if self._completes(line):
                self._newlines = len(lines) - number
                return True
        return False

    def _completes(self, line: bytes) -> bool:
        text = line.removesuffix(b"\r").decode("utf-8", errors="replace")
        if not self._begun:
            self._begun, text = True, text.removeprefix("\ufeff")
        block = self._reader.read(text)
        return block is not None and self._program.search(block.text()) is not None

    def cut(self, text: str) -> str:
        """``text``, as it is when the program is complete, up to its closing fence.

        The last token may hold more than the newline.
        """
        return text.rsplit("\n", self._newlines)[0].rstrip()
