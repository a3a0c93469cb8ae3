"""What a warm parent does before its first child: the work of a child, on a program of our own.

Python writes into the code that it runs for the first times: it counts calls, puts faster
instructions in the place of general ones, and notes where it has found names. A child that does so
copies each page that it touches. Done here, all children find it done.
"""

from __future__ import annotations

import contextlib
import sys

from localdistill.sandbox import candidate
from localdistill.sandbox.channel import Closed, Line, frame
from localdistill.sandbox.requests import pack

_ROUNDS = 30  # Python 3.11 gives its attention to code that was run eight times and more
# Of what programs are made of: classes, closures, comprehensions, exceptions, common modules.
_PROGRAM = '''
import math
from typing import Any, Dict, List, Optional, Tuple

class Point:
    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y

def solve(numbers: List[int], text: str, limit: float = 2.5) -> Optional[List[Any]]:
    """Return something of everything."""
    if not numbers and not text:
        raise ValueError("nothing")
    counts: Dict[str, int] = {}
    for index, letter in enumerate(text):
        counts[letter] = counts.get(letter, 0) + index
    total, largest = 0, max(numbers, default=0)
    while total < 10:
        total += 1
        if total % 3 == 0 or total > limit:
            continue
    pairs = [(a, b) for a in numbers for b in numbers if a + b == 0 and a != b]
    point = Point(*(numbers[:2] or [1, 2])[:1], y=3)
    words = sorted(text.split(" "), key=lambda word: (len(word), word))
    joined = ", ".join(words).upper().replace("A", "b") + f"{total:>3}{largest!r}"
    try:
        numbers[0] //= 0
    except ZeroDivisionError as error:
        joined += str(error)
    return [total, largest, pairs, point.x, joined, set(numbers), counts, math.sqrt(4.0), None]
'''
_ARGUMENTS = ([3, -3, 7, 2**70], "an example of a text", 1.5)


class _Script(Line):
    """A channel on which all is said already; what is answered goes nowhere."""

    def __init__(self, frames: list[tuple[bytes, bytes]]) -> None:
        super().__init__(-1)
        self._frames = iter(frames)

    def send(self, kind: bytes, body: bytes) -> None:
        frame(kind, body)

    def receive(self) -> tuple[bytes, bytes]:
        try:
            return next(self._frames)
        except StopIteration:
            raise Closed from None


def rehearse() -> None:
    """Go through the life of a candidate's process some times, and leave nothing of it behind."""
    call = pack(("solve", list(_ARGUMENTS), {}))
    frames = [
        (candidate.CALL, call),
        (candidate.CALL_WITHOUT_AFTER, call),
        (candidate.CALLS, pack([call] * 3)),
        (candidate.CALL, pack(("solve", [[], ""], {}))),
    ]
    for _ in range(_ROUNDS):
        with contextlib.suppress(Closed):
            candidate.serve_module(_Script(frames), _PROGRAM)
    del sys.modules["candidate"]
