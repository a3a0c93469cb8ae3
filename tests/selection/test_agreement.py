"""What candidates are called with, and whom of them what was run stands for."""

import random

import pytest

from localdistill.selection import agreement
from localdistill.selection.calls import shown_calls
from localdistill.selection.mutate import inputs, mutated
from localdistill.selection.programs import Observed
from localdistill.types import AssertTests, CallTests, CheckTests, Problem, StdinTests
from tests.selection.test_strategies import candidate

_CALL = CallTests(cases=[{"args": [7, "t"], "expected": "never looked at"}])


def problem(prompt="", tests=None, entry="f", starter=None):
    return Problem(id="1", prompt=prompt, tests=tests, entry_point=entry, starter_code=starter)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (problem("Try f([1, (2)], ')') or f(3).", _CALL), [([1, 2], ")"), (3,)]),
        (problem("def f(x): ...", starter="def f(x):\n    >>> f(-1.5)\n"), [(-1.5,)]),
        (problem("Input: nums = [2,7], k = 9\nOutput: 1", entry="S.f"), [([2, 7], 9)]),
        (problem("my.f(1), gf(2), f(y), f(g(1)), f( 'open"), []),
        (problem("Write it.", _CALL), [(7, "t")]),
        (problem("x", AssertTests(asserts=["assert f((1, 2), {3}) == 4"])), [((1, 2), {3})]),
        (problem("x", CheckTests(code="def check(c):\n assert candidate([]) == 1")), [([],)]),
        (problem("x", StdinTests(cases=[{"input": "1", "output": "2"}])), []),
        (problem("f(1)", _CALL, entry=None), []),
    ],
)
def test_arguments_are_those_that_the_problem_shows(given, expected):
    assert shown_calls(given) == expected


def test_inputs_are_seeded_different_and_of_the_types_that_were_shown():
    shown = [([3, 1, 2], "abc", 0, 2.5, {"a": 1}, (1, "x"), {4, 5}, [[1, 2], [3, 4]], True, None)]
    found = inputs(shown, 40, "s")
    assert found == inputs(shown, 40, "s")
    assert found != inputs(shown, 40, "t")
    assert found[0] == shown[0]
    assert len({repr(each) for each in found}) == 40
    for call in found:
        assert [type(value) for value in call] == [type(value) for value in shown[0]]
        assert all(type(item) is int for item in call[0])
        assert call[2] >= 0
        assert [len(row) for row in call[7]] == [2, 2]


def test_inputs_end_where_there_are_no_more():
    assert inputs([], 5, "s") == ()
    assert inputs([(None,)], 5, "s") == ((None,),)
    assert set(inputs([(True,)], 5, "s")) == {(True,), (False,)}
    assert mutated((), random.Random(0)) == ()


def test_equal_programs_run_once_and_stand_for_each_other():
    ran = []

    def run_programs(programs):
        for each in programs:
            ran.append(each)
            yield Observed(each.key, (each.code,) * len(each.calls))

    given = [candidate(0, code="a"), candidate(1, code="a  \n"), candidate(2, code="b")]
    given += [candidate(3, code=None)]
    found = agreement.observe([problem("f(1)")], {"1": given}, run_programs, 0)
    assert [each.key for each in ran] == [("1", 0), ("1", 2)]
    assert ran[0].calls == ran[1].calls
    assert len(ran[0].calls) == agreement.INPUTS
    assert {key: row.results[0] for key, row in found.items()} == {
        ("1", 0): "a", ("1", 1): "a", ("1", 2): "b",
    }  # fmt: skip
    assert agreement.observe([problem("no call")], {"1": given}, run_programs, 0) == {}


def test_where_the_sandbox_failed_with_a_program_it_did_with_its_equals():
    def run_programs(programs):
        return [Observed(each.key, None, failed=True) for each in programs]

    given = [candidate(0, code="a"), candidate(1, code="a")]
    found = agreement.observe([problem("f(1)")], {"1": given}, run_programs, 0)
    assert found == {("1", n): Observed(("1", n), None, failed=True) for n in (0, 1)}
