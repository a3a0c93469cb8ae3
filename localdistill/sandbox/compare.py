"""Whether a decoded value is the expected one. Runs where no candidate code does."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

RELATIVE, ABSOLUTE = 1e-6, 1e-6  # where the expected value is a float
_NUMBER_CHARACTERS = 400  # of a token that is compared as a number

_TOKEN = re.compile(r"\S+")
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\Z", re.ASCII)
_DECIMAL = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?\Z", re.ASCII)


def same_value(expected: Any, actual: Any) -> bool:
    """Compare a result with an expected value out of JSON.

    Exact, but: floats within a tolerance where a float is expected, NaN equals NaN, and a tuple or
    an iterator counts as the list of its elements, because JSON has neither.
    """
    if isinstance(expected, float) and isinstance(actual, int | float):
        return _close(expected, actual)
    if isinstance(expected, list):
        if isinstance(actual, Iterator):
            actual = list(actual)
        return (
            isinstance(actual, list | tuple | range)
            and len(expected) == _length(actual)
            and all(same_value(want, got) for want, got in zip(expected, actual, strict=True))
        )
    if isinstance(expected, dict):
        return (
            isinstance(actual, Mapping)
            and len(expected) == len(actual)
            and all(key in actual and same_value(expected[key], actual[key]) for key in expected)
        )
    return bool(expected == actual)


def _length(value: list[Any] | tuple[Any, ...] | range) -> int:
    try:
        return len(value)
    except OverflowError:  # a range may have more elements than a length can say
        return -1


def _close(expected: float, actual: float) -> bool:
    if math.isnan(expected):
        return isinstance(actual, float) and math.isnan(actual)
    try:
        return math.isclose(expected, actual, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    except OverflowError:  # an int too large for a float
        return False


def same_output(expected: str, actual: str) -> bool:
    """Compare what a program printed with what it should print, token by token.

    Spaces and line ends do not count. A token written as a decimal fraction is compared as a number
    within a tolerance; all others, integers among them, exactly.
    """
    want = expected.split()
    # One by one: 32 MiB of short tokens are a gigabyte as a list.
    got = (match.group() for match in _TOKEN.finditer(actual))
    return all(itertools.starmap(_same_token, itertools.zip_longest(want, got)))


def _same_token(want: str | None, got: str | None) -> bool:
    if want == got:
        return True
    if want is None or got is None or len(got) > _NUMBER_CHARACTERS:
        return False
    if _DECIMAL.match(want) is None or _NUMBER.match(got) is None:
        return False
    return _close(float(want), float(got))
