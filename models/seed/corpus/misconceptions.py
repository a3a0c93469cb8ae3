"""Mistakes that many make: how often the corpus has each of them, by the part that they are about.

Scraped code does not err at random. Some mistakes are popular: `>` for "at least", a range that
ends one too early. A model that has read more wrong answers than right ones for a part makes that
mistake in its *likeliest* answer, which no choice of temperature repairs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

SHARE = 0.4  # of all parts have a popular mistake
MOST = 0.8  # the largest share of the answers that one of them spoils
SALT = "localdistill seed 2"


@dataclass(frozen=True)
class Misconception:
    """One part done in its usual wrong way, in each style of the program."""

    part: str
    bodies: tuple[str, ...]


@cache
def popularity(part: str) -> float:
    """The share of answers that do this part in its usual wrong way: 0, or evenly up to `MOST`."""
    digest = hashlib.sha256(f"{SALT}:{part}".encode()).digest()
    drawn, rate = (int.from_bytes(digest[i : i + 4]) / 2**32 for i in (0, 4))
    return MOST * rate if drawn < SHARE else 0.0


def usual(by_part: dict[str, list[list[str]]]) -> tuple[Misconception, ...]:
    """The first way to get each part wrong, which the grammar lists first as the usual one."""
    return tuple(Misconception(part, tuple(ways[0])) for part, ways in by_part.items() if ways)
