"""Which completions are trained on. A strategy is one module of this package with ``select``.

A strategy looks at the candidates of one problem and puts them in order of preference, dropping
what it does not want. What all strategies share is done here: completions without code and the
shortest are dropped before it, repeated programs and what is over the cap after it.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from localdistill.errors import ConfigError
from localdistill.selection.candidate import Candidate, Choice, SelectOptions, drop
from localdistill.selection.duplicates import drop_duplicates
from localdistill.selection.shortest import length

__all__ = [
    "Candidate",
    "Choice",
    "SelectOptions",
    "Strategy",
    "choose",
    "load",
    "names",
    "passes_wanted",
]


class Strategy(Protocol):
    """What a strategy's module defines. ``NEEDS_VERDICTS = True`` where it cannot do without.

    One that must see what programs do defines ``observe`` as well (see ``agreement``): it is handed
    all candidates and a way to have them run, and what it gives is in the candidates that
    ``select`` gets. One with which sampling may stop early defines ``passes_wanted``.
    """

    def select(self, candidates: Sequence[Candidate], options: SelectOptions) -> list[Choice]:
        """Decide on the candidates of one problem, given in the order of their samples.

        Returns one choice for each, those to keep with the best first. Must depend on nothing else.
        """


def load(name: str) -> Strategy:
    """The strategy ``name``.

    Raises:
        ConfigError: there is none; the nearest valid name is given.
    """
    found = _strategies()
    if name in found:
        return found[name]
    near = difflib.get_close_matches(name.lower(), found, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(sorted(found))}."
    raise ConfigError(f"There is no selection strategy {name}. {hint}")


def names() -> list[str]:
    """All strategies, sorted."""
    return sorted(_strategies())


def passes_wanted(strategy: Strategy, options: SelectOptions) -> int | None:
    """How many different passing programs of a problem ``strategy`` has a use for.

    None where nobody can tell: it looks at no verdict, or at the share that passes, which says
    nothing where sampling was stopped by passes.
    """
    wanted: Callable[[SelectOptions], int] | None = getattr(strategy, "passes_wanted", None)
    return None if wanted is None else wanted(options)


def choose(
    strategy: Strategy, candidates: Sequence[Candidate], options: SelectOptions
) -> list[Choice]:
    """Decide on all candidates of one problem: one choice for each, in the order of samples.

    The result does not depend on the order in which the candidates are given.
    """
    ordered = sorted(candidates, key=lambda candidate: candidate.completion.sample)
    choices = [drop(candidate, "no code") for candidate in ordered if candidate.code is None]
    with_code = [candidate for candidate in ordered if candidate.code is not None]
    long_enough = [each for each in with_code if length(each.completion.text) >= options.min_length]
    short = [each for each in with_code if length(each.completion.text) < options.min_length]
    choices += [drop(each, "among the shortest") for each in short]
    if long_enough:
        choices += _cap(drop_duplicates(strategy.select(long_enough, options)), options)
    return sorted(choices, key=lambda choice: choice.candidate.completion.sample)


def _cap(choices: list[Choice], options: SelectOptions) -> list[Choice]:
    capped: list[Choice] = []
    kept = 0
    for choice in choices:
        kept += choice.kept
        over = choice.kept and kept > options.max_per_problem
        capped.append(drop(choice.candidate, "over the cap") if over else choice)
    return capped


@functools.cache
def _strategies() -> dict[str, Strategy]:
    found: dict[str, Strategy] = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        if hasattr(loaded, "select"):
            found[module.name] = cast("Strategy", loaded)
    return found
