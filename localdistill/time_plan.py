"""How a run with ``--hours`` shares out its time, so that it ends in time with a model in place.

A stage that can stop at any moment (generate, train) gets a moment at which it does; what cannot
(verify, select, export) gets a reserve; the final comparison takes as many problems as fit into
what is left, drawn before anything is sampled. All here is arithmetic in seconds on what has been
measured; nothing looks at a clock.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

_GENERATE = 0.2  # of a round's time, at most
_EXPORT, _EVALUATE = 0.2, 0.3  # kept for them, at most
# What an export takes at most, on a slow machine: to start, and for each byte of the model's file.
_EXPORT_S, _EXPORT_S_PER_BYTE = 120.0, 400e-9
# Starting the processes of a round, reading their libraries, and one export; for each byte read,
# merged and written again. Less than the least that was seen on any machine.
_LEAST_S, _LEAST_S_PER_BYTE = 30.0, 10e-9
# A trained model's answers may be longer than those that the speed was measured on.
_CAUTION = 1.5
_FEWEST = 10  # problems: a comparison on fewer shows nothing


@dataclass(frozen=True)
class Measured:
    """What a generation of this run took, its start included: the speed of this machine."""

    completions: int
    seconds: float  # to draw them and to test them

    @property
    def each(self) -> float:
        """Seconds for one completion."""
        return self.seconds / max(1, self.completions)


def least_seconds(model_bytes: int) -> float:
    """What one round of a model of ``model_bytes`` takes at least, as far as it can be told."""
    return _LEAST_S + _LEAST_S_PER_BYTE * model_bytes


def round_seconds(left: float, rounds_left: int, last: float | None, model_bytes: int) -> float:
    """The time for the next round, the comparison at the end included; 0: it does not fit.

    ``last`` is what the round before it took. It is not begun where that long again, and a
    comparison after it, would not fit.
    """
    if last is not None and left < last / (1 - _EVALUATE):
        return 0.0
    if left < least_seconds(model_bytes):
        return 0.0
    # As many rounds as have four times the least, so that more than overhead happens in each.
    fitting = max(1, min(rounds_left, int(left / (4 * least_seconds(model_bytes)))))
    return left / fitting


def generate_seconds(given: float) -> float:
    """After which a round that is ``given`` so much begins no new problem."""
    return _GENERATE * given


def train_seconds(left: float, given: float, model_bytes: int) -> float:
    """After which training stops; ``left`` of the round's ``given`` time now."""
    export = min(_EXPORT * given, _EXPORT_S + _EXPORT_S_PER_BYTE * model_bytes)
    return left - export - _EVALUATE * given


def problems_that_fit(left: float, total: int, drawn: int, speed: Measured) -> int:
    """Of how many of ``total`` problems ``drawn`` completions each can be had in ``left`` seconds.

    0 where a comparison would be of too few to show anything.
    """
    of_one = _CAUTION * speed.each * drawn
    count = min(total, int(left / of_one)) if of_one > 0 else total
    return count if count >= min(_FEWEST, total) else 0


def draw(ids: Sequence[str], count: int, seed: str) -> list[str]:
    """``count`` of ``ids`` at random, in their order; the same for the same ``seed``."""
    if count >= len(ids):
        return list(ids)
    chosen = set(random.Random(seed).sample(sorted(ids), count))  # noqa: S311 - no secret
    return [name for name in ids if name in chosen]


def for_people(seconds: float) -> str:
    """``90 s``, ``12 minutes`` or ``3.5 hours``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
