"""What a warm parent is for."""

from __future__ import annotations

from typing import NamedTuple


class Purpose(NamedTuple):
    """Its hash seed, and whether its children run test code (else candidates)."""

    hash_seed: int
    tests: bool


# The seeds are fixed, so that a verdict does not depend on which pit gave it.
CANDIDATES, CANDIDATES_AGAIN, TESTS = Purpose(1, False), Purpose(2, False), Purpose(3, True)
