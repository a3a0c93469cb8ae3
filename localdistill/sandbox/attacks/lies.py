"""Attacks on the verdict: wrong programs that want to pass. None of them harms anything."""

from __future__ import annotations

from localdistill.sandbox.attacks.finding import Finding
from localdistill.sandbox.attacks.ring import Program, Ring, breach
from localdistill.sandbox.jobs import Job
from localdistill.types import (
    CallCase,
    CallTests,
    CheckTests,
    Problem,
    StdinCase,
    StdinTests,
    Tests,
)

_TESTS: dict[str, Tests] = {
    "call": CallTests(cases=[CallCase(args=[3], expected=4), CallCase(args=[7], expected=8)]),
    "check": CheckTests(
        code="def check(candidate):\n    assert candidate(3) == 4\n    assert candidate(7) == 8"
    ),
    "stdin": StdinTests(cases=[StdinCase(input="3", output="4")]),
}
_RIGHT = {
    "call": "def solve(x):\n    return x + 1",
    "check": "def solve(x):\n    return x + 1",
    "stdin": "print(int(input()) + 1)",
}
_EQUAL = """
class Anything(int):
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __hash__ = int.__hash__

def solve(x):
    return Anything()
"""
_EQUAL_OBJECT = _EQUAL.replace("Anything(int)", "Anything").replace(
    "int.__hash__", "object.__hash__"
)
_EXITS = """
import os

def solve(x):
    os._exit(0)
"""
_EXITS_EARLY = "import os\nos._exit(0)\n"
# Speaks the protocol of the grader itself. Where it cannot, it must not look as if it had tried.
_FORGES = """
import os
import time

try:
    from localdistill.sandbox.channel import frame
    from localdistill.sandbox.codec import encode
    ANSWERS = [frame(b"R", encode("")), frame(b"R", encode(("passed", ""))), frame(b"E", b"0" * 22)]
except ImportError:
    time.sleep(1000)

def solve(x):
    for descriptor in range(3, 64):
        for answer in ANSWERS:
            try:
                os.write(descriptor, answer)
            except OSError:
                pass
    return -1
"""
# What it looks for is put together at run time, or it would find its own constants.
_SEARCHES = """
import gc
import sys

def solve(x):
    wanted = ("".join(["expec", "ted"]), "".join(["candi", "date(7)"]))
    frame = sys._getframe().f_back
    found = []
    while frame is not None:
        found += list(frame.f_locals.values()) + list(frame.f_code.co_consts)
        frame = frame.f_back
    found += gc.get_objects()
    for each in found:
        if isinstance(each, str) and wanted[1] in each:
            return x + 1
        if isinstance(each, (dict, list, tuple)) and each is not wanted:
            if any(isinstance(part, str) and part in wanted for part in each):
                return x + 1
    return None
"""


def control(ring: Ring) -> Finding:
    """What the outcomes rest on: right programs pass, wrong ones fail, and a breach is seen."""
    found = [
        f"a right program ({kind}): {status} ({detail})"
        for kind in _TESTS
        for status, detail in [_verdict(ring, _RIGHT[kind], kind)]
        if status != "passed"
    ]
    status, _ = _verdict(ring, "def solve(x):\n    return x", "call")
    found += [f"a wrong program: {status}"] if status != "failed" else []
    status, detail = ring.try_out(Program("carry", "where"))
    if not breach(status, detail):
        found.append(f"a program that reports a breach: {status}")
    tried = "right and wrong programs, and one that reports a breach, are told from each other"
    return ring.finding("control", tried, found)


def equal(ring: Ring) -> Finding:
    """Objects that lie when they are compared."""
    codes = (_EQUAL, _EQUAL_OBJECT)
    tried = "an object and an int that say so of themselves"
    return _lie(ring, "lie: equal to everything", tried, codes, ("failed",))


def exit_early(ring: Ring) -> Finding:
    """An exit code of zero, before any test was seen to fail."""
    name, tried = "lie: os._exit(0)", "when it is called, and when it is loaded"
    kinds = ("call", "check", "stdin")
    return _lie(ring, name, tried, (_EXITS, _EXITS_EARLY), ("runtime_error", "failed"), kinds)


def forged(ring: Ring) -> Finding:
    """The grader's own frames, with a result in them."""
    name, tried = "lie: forged frames", "results in the grader's own form, on all descriptors"
    return _lie(ring, name, tried, (_FORGES,), ("runtime_error", "failed"))


def stolen(ring: Ring) -> Finding:
    """The right answer, from where it might lie."""
    name, tried = "lie: stolen answers", "expected values and tests in frames, constants and memory"
    return _lie(ring, name, tried, (_SEARCHES,), ("failed",))


ATTACKS = (equal, exit_early, forged, stolen)


def _lie(
    ring: Ring,
    name: str,
    tried: str,
    codes: tuple[str, ...],
    caught: tuple[str, ...],
    kinds: tuple[str, ...] = ("call", "check"),
) -> Finding:
    found = []
    for code in codes:
        for kind in kinds:
            status, detail = _verdict(ring, code, kind)
            if status == "passed":
                found.append(f"passes ({kind})")
            elif status not in caught:
                found.append(f"could not be determined ({kind}: {status}: {detail})")
    return ring.finding(name, tried, found)


def _verdict(ring: Ring, code: str, kind: str) -> tuple[str, str]:
    problem = Problem(id=kind, prompt="", tests=_TESTS[kind], entry_point="solve", time_limit_s=5.0)
    (verdict,) = ring.sandbox.run([Job((problem.id, 0), code, problem)])
    return verdict.status, verdict.detail
