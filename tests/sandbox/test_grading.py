"""How candidates are graded by each kind of tests, and what each verdict says."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from localdistill.errors import SandboxUnavailable
from localdistill.sandbox import Job, Sandbox, open_sandbox
from localdistill.types import (
    AssertTests,
    CallCase,
    CallTests,
    CheckTests,
    Problem,
    StdinCase,
    StdinTests,
    Tests,
    Verdict,
)

_RIGHT = "def solve(x):\n    return x + 1\n"
_CHECK = CheckTests(code="def check(candidate):\n    assert candidate(3) == 4")
_CLASS = """
class Node:
    def __init__(self, data):
        self.data, self.left = data, None

def depth(node):
    return 0 if node is None else 1 + depth(node.left)
"""


def grade(
    sandbox: Sandbox,
    code: str | None,
    tests: Tests | None,
    entry: str | None = "solve",
    **more: Any,
) -> Verdict:
    problem = Problem(id="p", prompt="", tests=tests, entry_point=entry, **more)
    (verdict,) = sandbox.run([Job(("p", 0), code, problem)])
    return verdict


def grade_with_names(
    sandbox: Sandbox, code: str, tests: Tests, entry: str | None = "solve"
) -> Verdict:
    problem = Problem(id="p", prompt="", tests=tests, entry_point=entry)
    (verdict,) = sandbox.run([Job(("p", 0), code, problem, names_from_candidate=True)])
    return verdict


@pytest.mark.parametrize(
    ("code", "status", "detail"),
    [
        (_RIGHT, "passed", ""),
        ("def solve(x):\n    return x", "failed", "case 1: expected 4, got 3"),
        ("def solve(x):\n    return 1 / 0", "runtime_error", "ZeroDivisionError: division by zero"),
        ("def other(x):\n    pass", "runtime_error", "name 'solve' is not defined"),
        ("def solve(x:", "syntax_error", "SyntaxError"),
        ("solve = '\0'", "syntax_error", ""),
        (None, "no_code", ""),
        ("def solve(x):\n    return solve", "failed", "a value of type function"),
        ("raise ValueError('\x1b[2J\\n\\ud800')", "runtime_error", "ValueError: "),
        ("import time\ndef solve(x):\n    time.sleep(9)", "timeout", "within 0.5 s"),
        ("import time\ntime.sleep(9)", "timeout", "within 0.5 s"),
        ("def solve(x):\n    return bytearray(1 << 40)", "memory_exceeded", "MemoryError"),
    ],
)
def test_call_verdicts(sandbox: Sandbox, code: str | None, status: str, detail: str) -> None:
    tests = CallTests(cases=[CallCase(args=[3], expected=4)])
    verdict = grade(sandbox, code, tests, time_limit_s=0.5)
    assert verdict.status == status, verdict
    assert detail in verdict.detail
    assert verdict.detail.isprintable()


@pytest.mark.parametrize(
    "tests",
    [
        None,
        AssertTests(asserts=[]),
        CallTests(cases=[]),
        StdinTests(cases=[]),
        CheckTests(code=" \n"),
        CheckTests(code="def check(candidate):\n    pass"),
        AssertTests(asserts=["assert True"]),
    ],
)
def test_a_problem_that_tests_nothing_is_never_passed(
    sandbox: Sandbox, tests: Tests | None
) -> None:
    verdict = grade(sandbox, _RIGHT, tests)
    assert verdict.status == "failed"
    assert "tests" in verdict.detail


def test_assert_detail_names_the_assert(sandbox: Sandbox) -> None:
    tests = AssertTests(asserts=["assert solve(1) == 2", "assert solve(1) == 3, 'three'"])
    verdict = grade(sandbox, _RIGHT, tests, entry=None)
    assert verdict.status == "failed"
    assert verdict.detail == "assert 2: assert solve(1) == 3, 'three'; three; solve(1) returned 2"


def test_check_detail_names_the_line_and_what_the_candidate_returned(sandbox: Sandbox) -> None:
    code = (
        "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(2) == 'x' * 999"
    )
    verdict = grade(sandbox, "def solve(x):\n    return [x + 1] * 999", CheckTests(code=code))
    assert verdict.status == "failed"
    assert verdict.detail.startswith(
        "check, line 2: assert candidate(1) == 2; solve(1) returned [2, "
    )
    assert len(verdict.detail) < 400


def test_exceptions_cross_as_their_nearest_builtin(sandbox: Sandbox) -> None:
    code = "class Bad(KeyError):\n    pass\ndef solve(x):\n    raise Bad('no')"
    statement = "try:\n    solve(1)\nexcept KeyError as error:\n    assert 'no' in str(error)"
    assert grade(sandbox, code, AssertTests(asserts=[statement])).status == "passed"


def test_system_exit_cannot_be_caught_by_a_test(sandbox: Sandbox) -> None:
    code = "def solve(x):\n    raise SystemExit(0)"
    statement = "try:\n    solve(1)\nexcept BaseException:\n    pass\nelse:\n    assert False"
    assert grade(sandbox, code, AssertTests(asserts=[statement])).status == "runtime_error"


def test_names_of_the_candidate_are_no_part_of_the_tests(sandbox: Sandbox) -> None:
    code = "import sys\nLIMIT = 5\ndef twice(x):\n    return 2 * x\n" + _RIGHT
    tests = AssertTests(
        asserts=["assert solve(LIMIT) == 6 and twice(2) == 4 and sys.maxsize > LIMIT"]
    )
    verdict = grade(sandbox, code, tests)
    assert verdict.status == "infra_error"
    assert "LIMIT, twice from the candidate" in verdict.detail
    assert grade_with_names(sandbox, code, tests).status == "passed"


def test_classes_of_the_candidate_stay_in_its_process(sandbox: Sandbox) -> None:
    setup = "root = Node(1)\nroot.left = Node(2)\nroot.left.left = Node(3)"
    asserts = ["assert depth(root) == 3", "assert root.left.data == 2"]
    tests = AssertTests(setup=setup, asserts=asserts)
    assert grade(sandbox, _CLASS, tests, entry="depth").status == "infra_error"
    assert grade_with_names(sandbox, _CLASS, tests, entry="depth").status == "passed"
    forged = _CLASS.replace(
        "def depth", "    def __eq__(self, other):\n        return True\ndef depth"
    )
    tests = AssertTests(setup=setup, asserts=["assert root == 5 and depth(root) == 3"])
    assert grade_with_names(sandbox, forged, tests, entry="depth").status == "failed"


def test_helpers_of_a_check_run_in_the_judge(sandbox: Sandbox) -> None:
    tests = CheckTests(
        setup="def helper(x):\n    return x + 1",
        code="def check(candidate):\n    assert all(candidate(x) == helper(x) for x in range(9))",
    )
    code = "def helper(x):\n    return 0\ndef solve(x):\n    return helper(x)"
    assert grade(sandbox, code, tests).status == "failed"
    assert grade(sandbox, _RIGHT, tests).status == "passed"


def test_each_stdin_case_gets_a_process_of_its_own(sandbox: Sandbox) -> None:
    code = "import os\nprint(len(os.listdir('.')))\nopen(input(), 'w').close()"
    cases = [StdinCase(input=name, output="0") for name in "ab"]
    assert grade(sandbox, code, StdinTests(cases=cases), entry=None).status == "passed"


def test_program_that_does_not_read_its_input_passes(sandbox: Sandbox) -> None:
    tests = StdinTests(cases=[StdinCase(input="x\n" * 500_000, output="1")])
    assert grade(sandbox, "print(1)", tests, entry=None).status == "passed"


def test_every_job_gets_one_verdict_and_order_is_free(sandbox: Sandbox) -> None:
    problem = Problem(id="p", prompt="", tests=_CHECK, entry_point="solve")
    jobs = [Job(("p", n), _RIGHT if n % 3 else None, problem) for n in range(60)]
    verdicts = list(sandbox.run(iter(jobs)))
    assert sorted(v.sample for v in verdicts) == list(range(60))
    assert {v.sample for v in verdicts if v.passed} == {n for n in range(60) if n % 3}


def test_a_run_may_be_left_early_and_the_sandbox_used_again(sandbox: Sandbox) -> None:
    problem = Problem(id="p", prompt="", tests=_CHECK, entry_point="solve")
    for verdict in sandbox.run(Job(("p", n), _RIGHT, problem) for n in range(1000)):
        assert verdict.passed
        break
    assert grade(sandbox, _RIGHT, _CHECK).passed


def test_leaving_early_does_not_wait_for_what_is_running(sandbox: Sandbox) -> None:
    problem = Problem(id="p", prompt="", tests=_CHECK, entry_point="solve", time_limit_s=600)
    slow = "import time\ndef solve(x):\n    time.sleep(600)"
    gone = threading.Event()

    def leave() -> None:
        for _ in sandbox.run(Job(("p", n), slow if n else _RIGHT, problem) for n in range(9)):
            break
        gone.set()

    threading.Thread(target=leave, daemon=True).start()
    assert gone.wait(120)
    assert grade(sandbox, _RIGHT, _CHECK).passed


def test_an_error_of_the_source_of_jobs_is_raised(sandbox: Sandbox) -> None:
    def broken() -> Any:
        yield Job(("p", 0), None, Problem(id="p", prompt=""))
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        list(sandbox.run(broken()))
    assert grade(sandbox, _RIGHT, _CHECK).passed


def test_an_unknown_kind_is_refused_in_one_line() -> None:
    with pytest.raises(SandboxUnavailable, match="one of auto"):
        open_sandbox("magic")


@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        (_RIGHT, "check", "passed"),
        ("print(int(input()) + 1)", "stdin", "passed"),
        ("print(4 if hash('a') == %d else 5)", "stdin", "nondeterministic"),
        ("def solve(x):\n    return x + (hash('a') == %d)", "check", "nondeterministic"),
        ("def solve(x):\n    return x + (list({'a', 'b', 'c'}) == %r)", "call", "nondeterministic"),
    ],
)
def test_a_pass_that_the_hash_seed_decides_is_nondeterministic(
    sandbox: Sandbox, code: str, kind: str, status: str
) -> None:
    tests: Tests = _CHECK
    if kind == "stdin":
        tests = StdinTests(cases=[StdinCase(input="3", output="4")])
    if kind == "call":
        tests = CallTests(cases=[CallCase(args=[3], expected=4)])
    if "%" in code:
        what = "hash('a')" if "%d" in code else "list({'a', 'b', 'c'})"
        shown = f"def solve(x):\n    raise ValueError(repr({what}))"
        detail = grade(sandbox, shown, _CHECK).detail
        seen = detail.removeprefix("ValueError: ").partition(" (check")[0]
        code = code.replace("%d", seen).replace("%r", seen)
    problem = Problem(id="p", prompt="", tests=tests, entry_point="solve")
    assert grade(sandbox, code, tests).status == "passed"
    (verdict,) = sandbox.run([Job(("p", 0), code, problem, confirm=True)])
    assert verdict.status == status, verdict


def test_each_run_has_its_own_chance(sandbox: Sandbox) -> None:
    code = "import random\ndef solve(x):\n    raise ValueError(random.getrandbits(64))"
    assert len({grade(sandbox, code, _CHECK).detail for _ in range(4)}) == 4


def test_limits_beyond_reason_are_cut(sandbox: Sandbox) -> None:
    verdict = grade(sandbox, _RIGHT, _CHECK, time_limit_s=1e12, memory_limit_mb=1 << 40)
    assert verdict.passed, verdict
