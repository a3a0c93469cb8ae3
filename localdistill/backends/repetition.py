"""Tells when a sample has run into a loop: the same tokens again and again, to its limit.

Only exact repetition counts, over a long stretch and several turns, as programs repeat themselves
too: tables of zeros, boards, test data. So what repeats lines or sentences is called a loop sooner
than what a table may be made of. What changes from turn to turn (``case 1:``, ``case 2:``) is never
one: many a long table of a program looks the same. docs/generation.md has the evidence.
"""

from __future__ import annotations

import re
from array import array

MAX_PERIOD = 512  # tokens of the longest turn that is recognised
TURNS = 4  # a turn and three exact copies of it, at least
TOKENS_OF_WORDS = 160  # of all turns, at least, where they are lines or sentences
TOKENS = 320  # and of anything else
_EVERY = 16  # tokens between two looks
_GRAM = 32  # tokens whose last occurrence names the periods to try
_SIZE = array("i").itemsize

_TABLE = re.compile(r"[\d\"'\\\[\]]")
_WORD = re.compile(r"[^\W\d_]{2,}")


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
        return ends_in_a_loop(tokens, self._pieces)


def ends_in_a_loop(tokens: array[int], pieces: list[bytes]) -> bool:
    """Whether ``tokens``, which have the bytes ``pieces``, end in a loop."""
    if len(tokens) < TOKENS_OF_WORDS:
        return False
    tail = tokens[-TURNS * MAX_PERIOD :].tobytes()
    for period in candidates(tail):
        least = max(TOKENS_OF_WORDS, TURNS * period)
        if repeats(tail, period, least):
            length = needed(period, pieces[-period:])
            if length == least or repeats(tail, period, length):
                return True
    return False


def needed(period: int, turn: list[bytes]) -> int:
    """Tokens that must repeat with ``period`` to be a loop of ``turn``, the pieces of one turn."""
    # Three times, as a turn may begin and end within a word or a fence.
    text = b"".join(turn * 3).decode("utf-8", errors="replace")
    # No program repeats its fence, and it is the commonest thing to be repeated for ever.
    soon = "```" in text or _are_words(text)
    return max(TOKENS_OF_WORDS if soon else TOKENS, TURNS * period)


def _are_words(text: str) -> bool:
    if _TABLE.search(text) or not any(map(str.isspace, text)):
        return False
    # Tables of names have commas too, but hardly three different names in every row.
    return len(set(_WORD.findall(text)[1:-1])) >= (3 if "," in text else 1)


def candidates(tail: bytes) -> list[int]:
    """The periods, least first, that a loop at the end of the tokens ``tail`` can have.

    A loop has its last 32 tokens once more, as many tokens before as its period. So the places
    where they occur are all there is to try; in a text that is no loop they are few or none.
    """
    first = max(0, len(tail) - (MAX_PERIOD + _GRAM) * _SIZE)
    last = len(tail) - _GRAM * _SIZE
    gram = tail[last:]
    found = []
    end = len(tail) - 1
    while (start := tail.rfind(gram, first, end)) >= 0:
        end = start + len(gram) - 1
        period, rest = divmod(last - start, _SIZE)
        if rest == 0:  # else it lies across the borders of tokens
            found.append(period)
    return found


def repeats(tail: bytes, period: int, length: int) -> bool:
    """Whether the last ``length`` of the tokens ``tail`` are there and repeat with ``period``."""
    shift, size = period * _SIZE, length * _SIZE
    return len(tail) >= size and tail[-size + shift :] == tail[-size:-shift]
