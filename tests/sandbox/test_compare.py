"""What counts as the expected value, and as the expected output."""

from __future__ import annotations

from typing import Any

import pytest

from localdistill.sandbox.compare import same_output, same_value

_NAN = float("nan")


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ([1, [2]], (1, (2,))),
        ([0, 1, 2], range(3)),
        (0.3, 0.1 + 0.2),
        (2.0, 2),
        ([_NAN], [_NAN]),
        (0.0, -0.0),
        ({"a": [1.0]}, {"a": (1.0000000001,)}),
        (None, None),
    ],
)
def test_same_value(expected: Any, actual: Any) -> None:
    assert same_value(expected, actual)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ([1, 2], [2, 1]),
        ([1], [1, 1]),
        ([1, 2], {1, 2}),
        (3, 3.0001),
        (1.0, "1.0"),
        (1.0, 10**400),
        (1.0, _NAN),
        ("a", b"a"),
        (None, 0),
        (None, []),
        ([], None),
        ({"1": 1}, {1: 1}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({}, []),
    ],
)
def test_other_value(expected: Any, actual: Any) -> None:
    assert not same_value(expected, actual)


def test_same_long_integer() -> None:
    assert same_value([10**5000], [10**5000])
    assert not same_value(10**5000, 10**5000 + 1)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [("1 2\n3\n", "1 2 3"), ("0.5", "0.50000000001"), ("1.0", "1"), ("1e3", "1000.0"), ("", "\n ")],
)
def test_same_output(expected: str, actual: str) -> None:
    assert same_output(expected, actual)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("1", "1.0"),
        ("12345678901234567890", "12345678901234567891"),
        ("0.5", "0.51"),
        ("0.5", "nan"),
        ("0.5", "0_0.5"),
        ("a b", "a"),
        ("YES", "Yes"),
        ("1 2", "12"),
    ],
)
def test_other_output(expected: str, actual: str) -> None:
    assert not same_output(expected, actual)
