"""What candidates do when they are called, told without a comparison."""

import pytest

from localdistill.sandbox import Job
from localdistill.sandbox.canonical import canonical
from localdistill.types import CallTests, Problem

_NEVER = CallTests(cases=[{"args": [1], "expected": "nothing returns this"}])
_PROBLEM = Problem(id="p", prompt="", tests=_NEVER, entry_point="f", time_limit_s=0.5)
_CALLS = ((3,), (0,), (-2,))
_PROGRAMS = [
    "def f(x):\n    return x * x",
    "def f(x):\n    print('noise')\n    return float(x ** 2) + 1e-13",
    "def f(x):\n    return x * 2",
    "def f(x):\n    return {1: 6 / x, 'a': {x, 7}}",
    "def f(x):\n    return {'a': {7, x}, 1: 6.0 / x}",
    "def f(x):\n    raise ZeroDivisionError('in other words')",
    "def f(x):\n    while x > -1: pass",
    "def f(x:",
    "def f(x):\n    return f",
    "def f(x):\n    return range(10 ** 18)",
]


def test_equal_behaviour_has_equal_results(sandbox):
    jobs = [Job(("p", n), code, _PROBLEM, calls=_CALLS) for n, code in enumerate(_PROGRAMS)]
    found = {each.key[1]: each for each in sandbox.observe(jobs)}
    assert sorted(found) == list(range(len(_PROGRAMS)))
    results = [found[n].results for n in range(len(_PROGRAMS))]
    assert results[0] == results[1] != results[2]
    assert results[0] is not None and len(set(results[0])) == 3
    assert results[3] == results[4]
    assert results[3][1] == results[5][0] == "raised ZeroDivisionError"
    assert results[6:] == [None] * 4
    assert [found[n].status for n in (0, 6, 7)] == ["observed", "timeout", "syntax_error"]


def test_a_function_in_a_result_is_no_behaviour_that_can_be_compared(sandbox):
    (found,) = sandbox.observe([Job(("p", 0), _PROGRAMS[8], _PROBLEM, calls=_CALLS)])
    assert (found.results, found.status) == (None, "failed")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (True, 1, True),
        (0.1 + 0.2, 0.3, True),
        (2**60, float(2**60), False),
        ([1], (1,), False),
        ("1", 1, False),
        ("a", b"a", False),
        ({1: 2, 3: 4}, {3: 4, 1: 2}, True),
        ({"ab", "cd"}, {"cd", "ab"}, True),
        (["a,", "b"], ["a", ",b"], False),
        (float("nan"), float("nan"), True),
        (None, "None", False),
        (0.0, -0.0, True),
    ],
)
def test_equal_values_have_equal_texts(one, other, same):
    assert (canonical(one) == canonical(other)) is same
