"""Test code in which what is expected is computed before the candidate is called."""

from __future__ import annotations

import pytest

from localdistill.sandbox.expected_first import checks_something, expected_first


def _run(source: str, solve) -> None:
    exec(compile(expected_first(source, {"solve"}), "t", "exec"), {"solve": solve, "same": _same})


def _same(got, want):
    return got == want


def _emptied(numbers):
    numbers.clear()
    return []


@pytest.mark.parametrize(
    "statement",
    [
        "assert solve(xs) == sorted(xs)",
        "assert same(solve(xs), sorted(xs))",
        "assert not sum(solve(xs)) - sum(xs)",
        "assert abs(len(solve(xs)) - len(list(xs))) < 1",
        "def check(f):\n    assert f(xs) == sorted(x for x in xs)\ncheck(solve)",
        "assert same(solve(xs), want=sorted(xs))",
        "assert (got := solve(xs)) == sorted(xs)",
        "assert 3 != solve(xs) == sorted(xs)",
        "assert list(map(solve, [xs])) == [sorted(x) for x in [xs]]",
        "def run(x):\n    return solve(x)\nassert run(xs) == sorted(xs)",
        "run = lambda x: solve(x)\nassert run(xs) == sorted(xs)",
        "got = solve(xs)\nassert got == sorted(xs)",
        "got = solve(xs)\nassert isinstance(got, list)\nassert sorted(xs) == got, xs",
        "got = solve(xs)\nassert abs(sum(got) - sum(xs)) < 1",
        "for x in [xs]:\n    got = solve(x)\n    assert same(got, sorted(x))",
    ],
)
def test_a_changed_argument_does_not_change_what_is_expected(statement: str) -> None:
    source = f"xs = [3, 1, 2]\n{statement}"
    _run(source, sorted)
    exec(source, {"solve": _emptied, "same": _same})  # Python's own order is fooled
    with pytest.raises(AssertionError):
        _run(source, _emptied)


@pytest.mark.parametrize(
    "statement",
    [
        "assert solve(xs) is None and xs == [1, 2, 3]",
        "assert solve(xs) == None",
        "k = solve(xs)\nassert xs[0] == 1",
        "seen = []\nk = solve(xs)\nseen.append(k)\nassert k == seen[-1]",
        "k = solve(xs)\nassert k is None and xs[0] == 1",
        "k = solve(xs) or 2\nassert xs[:k] == [1, 2]",
        "k = solve(xs)\nhead = xs[:2]\nassert (k, head) == (None, [1, 2])",
        "assert (solve(xs), xs) == (None, [1, 2, 3])",
        "class A:\n    y = [3]\n    assert solve(y) != sorted(y)",
        "assert [(n := solve([x])) for x in [1]] == [None]",
        "assert 1 < len(xs) == 3 != solve(xs)",
    ],
)
def test_what_is_changed_in_place_is_seen(statement: str) -> None:
    _run(f"xs = [3, 1, 2]\n{statement}", list.sort)


def test_lines_are_kept() -> None:
    tree = expected_first("\n\nassert solve(1) == len([2])", {"solve"})
    assert tree.body[0].lineno == 3


def test_tests_without_any_check_are_seen() -> None:
    for source, checks in (
        ("solve(1)", False),
        ("assert solve(1)", True),
        ("if solve(1) != 2:\n    raise ValueError", True),
        ("self.assertEqual(solve(1), 2)", True),
    ):
        assert checks_something(expected_first(source, set())) is checks
