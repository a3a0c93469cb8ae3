"""Tells when a sample has run into a loop: the same tokens again and again, to its limit.

Exact repetition alone counts, over a long stretch and several times, as programs repeat themselves
too: tables of zeros, boards, test data. What changes from turn to turn (``case 1:``, ``case 2:``)
is never called a loop: long tables of a program look the same. docs/generation.md has the evidence.
"""

from __future__ import annotations

from array import array

MAX_PERIOD = 512  # tokens of the longest turn that is recognised
TURNS = 4  # a turn and three exact copies of it, at least
_EVERY = 16  # tokens between two looks
_GRAM = 32  # tokens whose last occurrence names the periods to try


class Repetition:
    """The tokens of one sample, and whether they end in a loop."""

    def __init__(self) -> None:
        self._tokens = array("i")
        self._next = needed(1)

    def feed(self, token: int) -> bool:
        """Take the next token; whether the sample is in a loop, seen at most 16 tokens late."""
        tokens = self._tokens
        tokens.append(token)
        if len(tokens) < self._next:
            return False
        self._next = len(tokens) + _EVERY
        return period(tokens) is not None


def needed(turn: int) -> int:
    """Tokens at the end of a sample that must have the period ``turn`` for it to be a loop."""
    return max(320, TURNS * turn)


def period(tokens: array[int]) -> int | None:
    """The least number of tokens that a loop at the end of ``tokens`` repeats, None without one.

    A loop of that period has its last 32 tokens once more as many tokens before. So only the places
    where they occur are tried, which are few or none in a text that is no loop.
    """
    size = tokens.itemsize
    data = tokens[-(MAX_PERIOD + _GRAM) :].tobytes()
    gram = data[-_GRAM * size :]
    end = len(data) - 1
    while (start := data.rfind(gram, 0, end)) >= 0:
        end = start + len(gram) - 1
        turn, rest = divmod(len(data) - len(gram) - start, size)
        if rest == 0 and _repeats(tokens, turn):  # else it lies across the tokens' borders
            return turn
    return None


def _repeats(tokens: array[int], turn: int) -> bool:
    length = needed(turn)
    if len(tokens) < length:
        return False
    tail = tokens[-length:]
    return tail[turn:] == tail[:-turn]
