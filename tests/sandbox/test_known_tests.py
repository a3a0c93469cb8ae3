"""Many candidates in a row with the same tests: what is known of those changes no verdict."""

from __future__ import annotations

import threading

import pytest

from localdistill.sandbox import Job
from localdistill.sandbox.known_tests import Memory
from localdistill.sandbox.pit_sandbox import PitSandbox
from localdistill.types import AssertTests, CheckTests, Problem, Tests

_TWO = CheckTests(
    code="def check(candidate):\n    assert candidate(3) == 4\n    assert candidate(7) == 8"
)
_SORTED = CheckTests(
    code="def check(candidate):\n    run = candidate\n    xs = [3, 1]\n    run(xs)\n"
    "    assert xs == [1, 3]\n    assert candidate([3, 1]) is None\n"
    "    assert candidate([2, 1]) is None"
)
_UNCHANGED = CheckTests(
    code="def check(candidate):\n    run = candidate\n    xs = [3, 1]\n"
    "    assert run(xs) == [1, 3]\n    assert xs == [3, 1]\n"
    "    assert candidate([3, 1]) == [1, 3]\n    assert candidate([2, 1]) == [1, 2]"
)
_IN_SETUP = AssertTests(
    setup="xs = [3, 1]\nsolve(xs)",
    asserts=["assert solve([3, 1]) is None", "assert solve([2, 1]) is None", "assert xs == [1, 3]"],
)
_IN_ITS_PLACE = AssertTests(
    setup="def solve(x):\n    return x + 1",
    asserts=["assert solve(3) == 4", "assert solve(7) == 8"],
)
# The judge runs as code what a candidate returns: no such tests are plain.
_EVALUATED = (
    "def check(candidate):\n    assert eval(candidate(3)) == 4\n    assert eval(candidate(7)) == 8"
)
_IN_THE_JUDGE = """
import gc
from localdistill.sandbox import judge
from localdistill.sandbox.codec import encode
from localdistill.sandbox.requests import pack
tests = next(each for each in gc.get_objects() if isinstance(each, judge._Tests))
"""
_FORGED_TESTS = (
    _IN_THE_JUDGE
    + """
code = compile("def check(candidate): candidate(3)", "tests.py", "exec")
tests.prepared = judge._Prepared((("tests", code),), True, False, ()).to_bytes()
"""
)
_FORGED_CALLS = (
    _IN_THE_JUDGE
    + """
call = pack(("solve", [99], {}))
tests._line.send(judge.CALLS, encode((call, call)))
tests._line.receive()
"""
)
_FORGED_STATUS = (
    _IN_THE_JUDGE
    + """
tests._line.send(judge.RESULT, encode((judge.NOT_PLAIN.encode(), b"", b"")))
"""
)


def _three_times(single: PitSandbox, code: str, tests: Tests, **more: float | bool) -> list[str]:
    """The statuses of one program, graded three times by one pit, without another try."""
    limit = float(more.pop("limit", 5.0))
    problem = Problem(id="p", prompt="", entry_point="solve", tests=tests, time_limit_s=limit)
    job = Job(("p", 0), code, problem, **more)
    return [single.pits[0].grade(job, threading.Event())["status"] for _ in range(3)]


@pytest.mark.parametrize(
    ("code", "tests", "status"),
    [
        ("def solve(x):\n    return x + 1", _TWO, "passed"),
        ("def solve(x):\n    return 4", _TWO, "failed"),
        # The first call of an equal argument is made by another name.
        ("def solve(x):\n    x.sort()", _SORTED, "passed"),
        ("def solve(x):\n    x.sort()", _IN_SETUP, "passed"),
        ("def solve(x):\n    x.sort()\n    return x", _UNCHANGED, "failed"),
        # The tests never come to the calls that are known.
        ("def solve(x):\n    return 0", _IN_ITS_PLACE, "failed"),
    ],
)
def test_a_verdict_does_not_depend_on_what_is_known(
    single: PitSandbox, code: str, tests: Tests, status: str
) -> None:
    assert _three_times(single, code, tests) == [status] * 3


def test_an_answer_that_comes_too_late_is_none(single: PitSandbox) -> None:
    code = "import time\ndef solve(x):\n    time.sleep(1.5 if x == 3 else 0)\n    return x + 1"
    assert _three_times(single, code, _TWO, limit=1.0) == ["timeout"] * 3


def test_an_answer_of_another_kind_ends_the_answers(single: PitSandbox) -> None:
    code = (
        "import os\nfrom localdistill.sandbox.channel import frame\n"
        "from localdistill.sandbox.codec import encode\n"
        "def solve(x):\n    for fd in range(3, 64):\n        try:\n"
        "            os.write(fd, frame(b'O', encode(x + 1) + encode(None)))\n"
        "        except OSError:\n            pass\n    os.read(0, 1)\n    while True: pass"
    )
    assert _three_times(single, code, _TWO, limit=10.0) == ["runtime_error"] * 3


def test_names_of_one_candidate_are_not_asked_of_the_next(single: PitSandbox) -> None:
    tests = AssertTests(asserts=["assert solve(Box(1)) == 2", "assert solve(Box(2)) == 3"])
    function = "def Box(x):\n    return x\ndef solve(x):\n    return x + 1"
    kind = "class Box:\n    def __init__(self, x):\n        self.x = x\n"
    kind += "def solve(b):\n    return b.x + 1"
    for code in (function, kind, function):
        assert _three_times(single, code, tests, names_from_candidate=True) == ["passed"] * 3


@pytest.mark.parametrize(
    ("forged", "after", "status"),
    [
        (_FORGED_TESTS, "def solve(x):\n    return '5'", "failed"),
        (_FORGED_CALLS, "def solve(x):\n    return str(x + 1) if x < 9 else exit()", "passed"),
    ],
    ids=["tests", "calls"],
)
def test_nothing_is_learned_from_a_judge_that_a_candidate_may_have_changed(
    single: PitSandbox, forged: str, after: str, status: str
) -> None:
    tests = CheckTests(code=f"{_EVALUATED}  # {status}")  # which nothing is known of yet
    attack = f"def solve(x):\n    return 'exec(%r, dict()) or %d' % ({forged!r}, x + 1)"
    assert _three_times(single, attack, tests) == ["passed"] * 3  # the code was really run
    assert _three_times(single, after, tests) == [status] * 3


def test_a_judge_alone_cannot_ask_for_another(single: PitSandbox) -> None:
    attack = f"def solve(x):\n    return 'exec(%r, dict()) or 4' % {_FORGED_STATUS!r}"
    assert _three_times(single, attack, CheckTests(code=_EVALUATED)) == ["infra_error"] * 3


def test_calls_of_tests_that_are_not_plain_are_known_too(single: PitSandbox) -> None:
    tests = CheckTests(code=f"import types\n{_TWO.code}")
    assert _three_times(single, "def solve(x):\n    return x + 1", tests) == ["passed"] * 3
    assert _three_times(single, "def solve(x):\n    return 4", tests) == ["failed"] * 3


def test_what_is_known_of_tests_is_known_of_those_alone() -> None:
    memory = Memory()
    known = memory.of({"kind": "check", "setup": "", "code": "a"}, "f")
    known.learn_calls((b"call",))
    known.learn_prepared(b"code")
    assert memory.of({"kind": "check", "setup": "", "code": "a"}, "f") is known
    others = [
        ({"kind": "check", "setup": "", "code": "a"}, "g"),
        ({"kind": "check", "setup": "a", "code": ""}, "f"),
        ({"kind": "check", "setup": "", "code": "a"}, None),
    ]
    assert all(not memory.of(*other).calls for other in others)
