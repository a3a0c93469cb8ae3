"""Which tests can be kept apart from a candidate's process, and which cannot."""

from __future__ import annotations

import pytest

from localdistill.sandbox.separable import reason
from localdistill.types import (
    AssertTests,
    CallCase,
    CallTests,
    CheckTests,
    Problem,
    StdinCase,
    StdinTests,
    Tests,
)


def _reason(tests: Tests | None) -> str | None:
    return reason(Problem(id="p", prompt="", tests=tests, entry_point="solve"))


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("from unittest.mock import patch\nwith patch('candidate.x'): pass", "replaces parts"),
        ("import unittest.mock as m\nassert solve(1)", "mock"),
        ("monkeypatch.setattr(solve, 'x', 1)", "from the candidate"),
        ("import inspect\nassert 'for' not in inspect.getsource(solve)", "source"),
        ("import contextlib\nwith contextlib.redirect_stdout(None): solve(1)", "prints"),
        ("import sys, io\nsys.stdin = io.StringIO('3')\nsolve(1)", "types into"),
        ("import sys, io\nsys.stdout = io.StringIO()\nsolve(1)", "prints"),
        ("from solution import helper\nassert helper(1)", "imports the candidate"),
        ("assert solve.calls == 3", "solve.calls"),
        ("assert solve(lambda x: x) == 3", "pass a function"),
        ("def own(x): return x\nassert solve(key=own) == 3", "pass a function"),
        ("assert solve(Node(3)) == 3", "need Node from"),
        ("assert isinstance(solve(3), Tree)", "need Tree from"),
    ],
)
def test_tests_that_reach_inside_are_named(code: str, why: str) -> None:
    found = _reason(AssertTests(asserts=[code]))
    assert found is not None
    assert why in found


@pytest.mark.parametrize(
    "tests",
    [
        None,
        AssertTests(asserts=["assert math.isclose(solve(3), sum(map(abs, [1, 2])))"]),
        AssertTests(setup="from math import *\nlimit = 3", asserts=["assert solve(limit)"]),
        AssertTests(asserts=["assert sorted([2, 1], key=lambda x: -x) == solve(1)"]),
        CheckTests(code="def check(candidate):\n    assert candidate('a.b').split('.')"),
        StdinTests(cases=[StdinCase(input="", output="")]),
        CallTests(cases=[CallCase(args=[], expected=1)]),
    ],
)
def test_others_are_separable(tests: Tests | None) -> None:
    assert _reason(tests) is None
