"""Which test code may share a process with other test code."""

from __future__ import annotations

import ast

import pytest

from localdistill.sandbox import Job, Sandbox
from localdistill.sandbox.ahead import body_of_check, calls_ahead
from localdistill.sandbox.plain import is_plain
from localdistill.types import AssertTests, CheckTests, Problem


@pytest.mark.parametrize(
    "source",
    [
        "assert solve([1, {'a': (2,)}]) == -3.5",
        "import math\nassert math.isclose(solve(1), math.pi)",
        "from math import *\nassert floor(solve(1)) == 1",
        "import random as r\nfor _ in range(3):\n    n = r.randint(1, 9)\n    assert solve(n) == n",
        "from typing import List\ndef own(x: List) -> int:\n    return sum(x)\nassert own([1])",
        "try:\n    solve(1)\nexcept ValueError as error:\n    assert 'x' in str(error)",
        "from collections import Counter\nassert Counter(solve('aab')).most_common(1)[0][0] == 'a'",
        "def own(string):\n    return string == string[::-1]\nassert own(solve('ab'))",
    ],
)
def test_code_that_changes_nothing_is_plain(source: str) -> None:
    assert is_plain([ast.parse(source)])


@pytest.mark.parametrize(
    "source",
    [
        "import math\nmath.floor = solve",
        "import os",
        "from os import path",
        "import collections.abc",
        "import collections\ncollections.abc.Mapping.register(int)",
        "import math\nm = math\nm.inf",
        "import math as m\nprint(m)",
        "import sys as m\ndef f():\n    import math as m\nm.modules",
        "import sys\ndef f():\n    import math as sys\nsys.modules",
        "from heapq import heappush as sys\nimport sys\nsys.modules",
        "import copy\ncopy.dispatch_table.clear()",
        "from functools import lru_cache",
        "from typing import get_type_hints",
        "setattr(solve, 'x', 1)",
        "getattr(solve, 'x')",
        "type(solve)",
        "eval('1')",
        "exec('1')",
        "globals()",
        "__builtins__",
        "__import__('os')",
        "solve.__globals__",
        "solve.x = 1",
        "del solve.x",
        "(x for x in []).gi_frame",
        "''.format(solve)",
        "class A: pass",
        "with solve(): pass",
        "async def f(): pass",
        "def own():\n    global solve",
        "@solve\ndef own(): pass",
        "def __getattr__(name): pass",
        "f'{solve.__class__}'",
        "from .math import floor",
        "import string\ndef own(string):\n    return string",
        "import builtins",
        "open('x')",
        "input()",
    ],
)
def test_other_code_is_not(source: str) -> None:
    assert not is_plain([ast.parse(source)])


def test_a_module_that_the_setup_imports_is_one_in_the_tests() -> None:
    setup, tests = "import sys", "def own(sys):\n    pass\nm = sys\nm.modules"
    assert not is_plain([ast.parse(setup), ast.parse(tests)])


def test_tests_that_change_builtins_change_them_for_themselves_alone(single: Sandbox) -> None:
    bent = "import builtins\nbuiltins.sorted = lambda x: 4"
    code = "def solve(x):\n    return [0] * 3"
    sly = Problem(
        id="sly",
        prompt="",
        entry_point="solve",
        tests=AssertTests(setup=bent, asserts=["assert sorted(solve(1)) == 4"]),
    )
    honest = sly.model_copy(
        update={"id": "honest", "tests": AssertTests(asserts=["assert sorted(solve(1)) == 4"])}
    )
    verdicts = list(single.run(Job((p.id, n), code, p) for n in range(3) for p in (sly, honest)))
    assert [v.problem_id for v in verdicts if v.passed] == ["sly"] * 3


def _ahead(source: str) -> list[tuple[str, list[object]]]:
    return list(calls_ahead(ast.parse(source).body, frozenset({"f"})))


def test_calls_that_are_certain_are_known_ahead() -> None:
    source = (
        "x = 1\nassert f(1, [2]) == 3\nassert abs(f(-1) - 2) < 1e-6, 'text'\nassert 2 == f('a')"
    )
    assert _ahead(source) == [("f", [1, [2]]), ("f", [-1]), ("f", ["a"])]
    tree = ast.parse("def check(candidate):\n    assert candidate(1) == 2\n    assert True")
    assert list(calls_ahead(*body_of_check(tree))) == [("candidate", [1])]


@pytest.mark.parametrize(
    "source",
    [
        "run = f\nassert f(1) == 2",
        "assert list(map(f, [[1]]))\nassert f([1]) == 2",
        "assert helper([1])\nassert f([1]) == 2",
        "x.method([1])\nassert f([1]) == 2",
        "assert f([1]) == helper([1])",
        "assert f([1]) == f",
    ],
)
def test_a_call_that_may_be_made_otherwise_before_ends_what_is_known(source: str) -> None:
    statements, leading = ast.parse(source).body, frozenset({"helper", "method"})
    assert list(calls_ahead(statements, frozenset({"f"}), leading)) == []
    after = ast.parse("assert f(1) == 2").body
    assert list(calls_ahead(after, frozenset({"f"}), leading, statements)) == []
    unused = ast.parse("def helper(x):\n    return f(x)").body
    assert list(calls_ahead(after, frozenset({"f"}), leading, unused)) == [("f", [1])]


@pytest.mark.parametrize(
    "statement",
    [
        "assert f(x) == 2",
        "assert f(1) == f(2)",
        "assert f(1) or f(2)",
        "assert True and f(1)",
        "assert f(1) if x else 2",
        "assert 1 < x < f(1)",
        "assert [f(1) for _ in x]",
        "assert x, f(1)",
        "assert f(1, key=2)",
        "f(1)",
        "for n in x:\n    assert f(1)",
        "try:\n    f(1)\nexcept ValueError:\n    pass",
        "if x:\n    assert f(1)",
        "def g():\n    return f(1)",
    ],
)
def test_what_is_not_certain_is_asked_for_in_its_turn(statement: str) -> None:
    assert _ahead(f"assert f(0)\n{statement}\nassert f(9)") == [("f", [0])]


@pytest.mark.parametrize(
    ("code", "status", "detail"),
    [
        ("def solve(x):\n    return x + 1", "passed", ""),
        ("def solve(x):\n    return x + 1 if x != 2 else 1 / 0", "runtime_error", "line 3"),
        ("def solve(x):\n    return x + 1 if x < 3 else exit()", "runtime_error", "SystemExit"),
        # The first assert fails before the call at which the candidate ends.
        ("def solve(x):\n    return 0 if x == 1 else exit()", "failed", "line 2"),
        ("import time\ndef solve(x):\n    return x + 1 if x < 3 else time.sleep(9)", "timeout", ""),
        ("n = 0\ndef solve(x):\n    global n\n    n += 1\n    return n + 1", "passed", ""),
        ("def solve(x):\n    return 'x' * (9 << 20)", "failed", "line 2"),
    ],
)
def test_answers_ahead_count_in_their_turn(
    sandbox: Sandbox, code: str, status: str, detail: str
) -> None:
    lines = "".join(f"    assert candidate({n}) == {n + 1}\n" for n in (1, 2, 3))
    tests = CheckTests(code=f"def check(candidate):\n{lines}")
    problem = Problem(id="p", prompt="", tests=tests, entry_point="solve", time_limit_s=0.5)
    (verdict,) = sandbox.run([Job(("p", 0), code, problem)])
    assert verdict.status == status, verdict
    assert detail in verdict.detail
