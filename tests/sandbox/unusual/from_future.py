# future
from __future__ import annotations


def solve(x: int) -> int:
    return x + 1
