"""What a strategy may have run: candidates, called as it says, in the sandbox of its stage.

A strategy does not know the sandbox. It is handed a ``RunPrograms`` by the stage, and never runs,
parses or imports a candidate by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from localdistill.types import Problem

Key = tuple[str, int]  # problem id, sample
Arguments = tuple[Any, ...]  # of one call: plain values


@dataclass(frozen=True)
class Program:
    """A candidate's ``code``, and the calls of the problem's entry point that are to be made."""

    key: Key
    code: str
    problem: Problem
    calls: tuple[Arguments, ...]


@dataclass(frozen=True)
class Observed:
    """What a program did: one digest for each call, equal where results are equal.

    ``results`` is None where it did not come to the end of its calls; ``failed``: where that is
    the sandbox's fault, so that nobody knows what the program does.
    """

    key: Key
    results: tuple[str, ...] | None
    failed: bool = False


# One answer for each program, in any order.
RunPrograms = Callable[[Iterable[Program]], Iterator[Observed]]
