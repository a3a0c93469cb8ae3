"""Random inputs for each type of parameter. All are JSON values."""

from __future__ import annotations

import random
from collections.abc import Callable

WORDS = ("apple", "bat", "seas", "tent", "pear", "ox", "stone", "ant", "basil", "area", "tot",
         "plum", "echo", "robot", "eve", "sun", "patient", "bee", "orange", "level", "trap",
         "tiger", "ice", "noon", "bread", "stars", "egg", "pop", "sort", "umbrella", "banana",
         "test", "at", "pine", "error")  # fmt: skip
CHARACTERS = "abeekmopstuAEHKOZ059 -"


def _ints(rng: random.Random) -> list[int]:
    return [rng.randint(-4, 14) for _ in range(rng.choice((0, 1, 3, 5, 6, 7, 8)))]


def _words(rng: random.Random) -> list[str]:
    return [rng.choice(WORDS) for _ in range(rng.choice((0, 1, 3, 4, 6, 8)))]


MAKERS: dict[str, Callable[[random.Random], object]] = {
    "ints": _ints,
    "int": lambda rng: rng.randint(0, 25),
    "number": lambda rng: rng.randint(-12, 30),
    "natural": lambda rng: rng.randint(0, 10 ** rng.randint(1, 8)),
    "words": _words,
    "sentence": lambda rng: " ".join(_words(rng)),
    "text": lambda rng: "".join(rng.choice(CHARACTERS) for _ in range(rng.randint(0, 14))),
    "dict": lambda rng: {w: rng.randint(-2, 12) for w in sorted(set(_words(rng)))},
    "rows": lambda rng: [
        [rng.randint(-2, 9) for _ in range(rng.randint(1, 5))] for _ in range(rng.randint(0, 5))
    ],
}


def arguments(types: tuple[str, ...], count: int, seed: int) -> list[list[object]]:
    """`count` argument lists for parameters of these types, always the same for the same seed."""
    rng = random.Random(f"{seed}:{','.join(types)}")
    return [[MAKERS[t](rng) for t in types] for _ in range(count)]
