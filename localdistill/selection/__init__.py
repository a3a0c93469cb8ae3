"""Which completions are trained on. A strategy is one module of this package with ``select``.

A strategy looks at the candidates of one problem and puts them in order of preference, dropping
what it does not want. What all strategies share is done here: completions without code, in a loop,
of broken text and the shortest are dropped before it, repeated programs and what is over the cap
after it. A strategy that trains on samples as they were drawn keeps loops and repeated programs.
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

    ``AS_DRAWN = True`` where what is kept is to be a fair draw from the model: then neither loops
    nor repeated programs are dropped, and ``select`` must leave the order of samples as it is.
    One that must see what programs do defines ``observe`` as well (see ``agreement``): it is handed
    all candidates and a way to have them run, and what it gives is in the candidates that
    ``select`` gets. One with which sampling may stop early defines ``passes_wanted``.
    """

    def select(
        self,
        candidates: Sequence[Candidate],
        options: SelectOptions,
        drawn: Sequence[Candidate],
    ) -> list[Choice]:
        """Decide on the candidates of one problem, given in the order of their samples.

        ``drawn``: all that were drawn for it, those that are dropped already too; a share of a
        problem's completions is one of these.

        Returns one choice for each candidate, those to keep with the best first. Must depend on
        nothing else.
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
    drawn = sorted(candidates, key=lambda candidate: candidate.completion.sample)
    as_drawn = getattr(strategy, "AS_DRAWN", False)
    choices, fit = [], []
    for candidate in drawn:
        reason = _unfit(candidate, options, loops_too=as_drawn)
        if reason is None:
            fit.append(candidate)
        else:
            choices.append(drop(candidate, reason))
    if fit:
        found = strategy.select(fit, options, drawn)
        choices += _cap(found if as_drawn else drop_duplicates(found), options)
    return sorted(choices, key=lambda choice: choice.candidate.completion.sample)


def _unfit(candidate: Candidate, options: SelectOptions, *, loops_too: bool) -> str | None:
    """Why it is not even shown to a strategy, the first reason that holds; None if it is."""
    if candidate.code is None:
        return "no code"
    # A loop's tokens are the surest that there are, and training on them teaches to loop.
    if candidate.completion.looped and not loops_too:
        return "in a loop"
    if candidate.broken:
        return "broken text"
    if length(candidate.completion.text) < options.min_length:
        return "among the shortest"
    return None


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
