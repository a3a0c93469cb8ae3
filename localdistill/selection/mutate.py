"""New inputs from known ones, by small changes that keep types.

Type-aware mutation, after EvalPlus (Liu et al., arXiv 2305.01210), with two more limits, as nothing
is known of what a problem allows: a number keeps its sign, and rows of one length stay so.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from localdistill.selection.programs import Arguments

_TRIES = 20  # for each input that is wanted
_LONGEST = 200  # elements or characters beyond which nothing is made longer


def inputs(shown: list[Arguments], count: int, seed: str) -> tuple[Arguments, ...]:
    """``count`` different inputs, or fewer where there are no more: those shown, then changed ones.

    The same for the same ``seed``.
    """
    chooser = random.Random(seed)  # noqa: S311 - no secret
    found = {repr(call): call for call in shown[:count]}
    for _ in range(_TRIES * count if shown else 0):
        if len(found) >= count:
            break
        base = chooser.choice(list(found.values()))
        changed = mutated(base, chooser)
        found.setdefault(repr(changed), changed)
    return tuple(found.values())


def mutated(arguments: Arguments, chooser: random.Random) -> Arguments:
    """``arguments`` with one of them changed."""
    if not arguments:
        return arguments
    place = chooser.randrange(len(arguments))
    return tuple(
        _changed(value, chooser) if number == place else value
        for number, value in enumerate(arguments)
    )


def _changed(value: Any, chooser: random.Random) -> Any:
    change = _CHANGES.get(type(value))
    return change(value, chooser) if change is not None else value


def _number(value: int, chooser: random.Random) -> int:
    new = chooser.choice(
        [value + 1, value - 1, 2 * value, value // 2, value + chooser.randint(2, 9)]
    )
    # A count or an index that is never below 0 stays so.
    return max(0, new) if value >= 0 else min(-1, new)


def _float(value: float, chooser: random.Random) -> float:
    new = chooser.choice([value + 1.0, value - 1.0, 2.0 * value, value / 2.0])
    return max(0.0, new) if value >= 0 else min(-0.5, new)


def _text(value: str, chooser: random.Random) -> str:
    if not value:
        return "a"
    at = chooser.randrange(len(value))
    other = chooser.choice(value)  # of the alphabet that it has
    ways = [
        value[:at] + value[at + 1 :],
        value[:at] + other + value[at + 1 :],
        value[::-1],
        value[: at + 1],
    ]
    if len(value) < _LONGEST:
        ways += [value[:at] + other + value[at:], value + value[at:]]
    return chooser.choice(ways)


def _list(value: list[Any], chooser: random.Random) -> list[Any]:
    if not value:
        return value
    at = chooser.randrange(len(value))
    if _is_table(value):
        row = mutated(tuple(value[at]), chooser)
        return [*value[:at], type(value[at])(row), *value[at + 1 :]]
    in_place = [*value[:at], _changed(value[at], chooser), *value[at + 1 :]]
    ways = [in_place, in_place, value[:at] + value[at + 1 :], value[::-1]]
    if len(value) < _LONGEST:
        ways += [[*value[:at], value[at], *value[at:]], [*value, _changed(value[at], chooser)]]
    return chooser.choice(ways)


def _is_table(value: list[Any]) -> bool:
    """Whether its elements are rows, of a length that may have a meaning."""
    return all(isinstance(row, list | tuple) for row in value)


def _tuple(value: tuple[Any, ...], chooser: random.Random) -> tuple[Any, ...]:
    # A tuple is a record as a rule: its length stays.
    return mutated(value, chooser)


def _set(value: set[Any], chooser: random.Random) -> set[Any]:
    ordered = sorted(value, key=repr)
    changed = _list(ordered, chooser)
    try:
        return set(changed)
    except TypeError:
        return value


def _dict(value: dict[Any, Any], chooser: random.Random) -> dict[Any, Any]:
    if not value:
        return value
    key = chooser.choice(list(value))
    if len(value) > 1 and chooser.random() < 0.3:
        return {name: each for name, each in value.items() if name != key}
    return {**value, key: _changed(value[key], chooser)}


_CHANGES: dict[type, Callable[[Any, random.Random], Any]] = {
    bool: lambda value, chooser: not value,
    int: _number,
    float: _float,
    str: _text,
    list: _list,
    tuple: _tuple,
    set: _set,
    dict: _dict,
}
