"""Tells when a sample has run into a loop: the same tokens again and again, to its limit.

Only exact repetition counts, over a long stretch and several turns, as programs repeat themselves
too: tables of zeros, boards, test data. So what repeats lines or sentences is called a loop sooner
than what a table may be made of. What changes from turn to turn (``case 1:``, ``case 2:``) is never
one: many a long table of a program looks the same. docs/generation.md has the evidence.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence

MAX_PERIOD = 512  # tokens of the longest turn that is recognised
TURNS = 4  # a turn and three exact copies of it, at least
TOKENS_OF_WORDS = 160  # of all turns, at least, where they are lines or sentences
TOKENS = 320  # and of anything else
_EVERY = 16  # tokens between two looks
_GRAM = 32  # tokens whose last occurrence names the periods to try

_TABLE = re.compile(r"[\d\"'\\,\[\]]")
_WORDS = re.compile(r"[^\W\d_]{2}")


class Repetition:
    """The tokens of one sample, and whether they end in a loop."""

    def __init__(self) -> None:
        self._tokens = array("i")
        self._pieces: list[bytes] = []
        self._next = TOKENS_OF_WORDS

    def feed(self, token: int, piece: bytes) -> bool:
        """Take the next token and its bytes; whether this is a loop (up to 16 tokens late)."""
        tokens = self._tokens
        tokens.append(token)
        self._pieces.append(piece)
        if len(tokens) < self._next:
            return False
        self._next = len(tokens) + _EVERY
        return any(
            repeats(tokens, period, needed(period, self._pieces[-period:]))
            for period in candidates(tokens)
        )


def needed(period: int, turn: Sequence[bytes]) -> int:
    """Tokens that must repeat with ``period`` to be a loop of ``turn``, the pieces of one turn."""
    text = b"".join(turn).decode("utf-8", errors="replace")
    is_words = not _TABLE.search(text) and _WORDS.search(text) and any(map(str.isspace, text))
    # No program repeats its fence, and it is the commonest thing to be repeated for ever.
    least = TOKENS_OF_WORDS if is_words or "```" in text else TOKENS
    return max(least, TURNS * period)


def candidates(tokens: array[int]) -> list[int]:
    """The periods, least first, that a loop at the end of ``tokens`` can have.

    A loop has its last 32 tokens once more, as many tokens before as its period. So the places
    where they occur are all there is to try; in a text that is no loop they are few or none.
    """
    size = tokens.itemsize
    data = tokens[-(MAX_PERIOD + _GRAM) :].tobytes()
    gram = data[-_GRAM * size :]
    found = []
    end = len(data) - 1
    while (start := data.rfind(gram, 0, end)) >= 0:
        end = start + len(gram) - 1
        period, rest = divmod(len(data) - len(gram) - start, size)
        if rest == 0:  # else it lies across the borders of tokens
            found.append(period)
    return found


def repeats(tokens: array[int], period: int, length: int) -> bool:
    """Whether the last ``length`` tokens are there and repeat with ``period``."""
    if len(tokens) < length:
        return False
    tail = tokens[-length:]
    return tail[period:] == tail[:-period]
