"""Proof that problems are new: no program of one collection occurs in another.

Two programs are the same if they behave alike on 50 random inputs, or if their syntax trees are
equal once names and constants are taken out.
"""

from __future__ import annotations

from collections.abc import Iterable

from corpus import behaviour


class NotHeldOut(ValueError):
    """A program occurs on both sides."""


def identities(programs: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, str]:
    """Behaviour and shape of each (code, parameter types), with the code that has it."""
    found = {}
    for code, types in programs:
        found[behaviour.fingerprint(code, types)] = code
        found[behaviour.shape(code)] = code
    return found


def check(
    held_out: Iterable[tuple[str, tuple[str, ...]]], known: Iterable[tuple[str, tuple[str, ...]]]
) -> None:
    """Raise `NotHeldOut` if a program of `held_out` is also in `known`."""
    ours = identities(held_out)
    for code, types in known:
        for identity in (behaviour.fingerprint(code, types), behaviour.shape(code)):
            if identity in ours:
                raise NotHeldOut(f"both held out and known:\n{ours[identity]}\n\n{code}")
