"""How one candidate is graded, by the kind of its problem's tests. Runs in the pit, where no untrusted code does.

Whatever comes from a candidate's process is a claim about a value. The status comes from comparing
it here, or from the judge's process, to which the candidate's has no way.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

from localdistill.sandbox import names
from localdistill.sandbox.candidate import (
    CALL,
    FATAL,
    GET,
    LOADED,
    MAKE,
    MODULE,
    NAMES,
    RAISED,
    SET,
    VALUE,
)
from localdistill.sandbox.codec import CodecError, encode
from localdistill.sandbox.compare import same_output, same_value
from localdistill.sandbox.confine import Limits
from localdistill.sandbox.decode import decode, decode_pair
from localdistill.sandbox.judge import JUDGE, RESULT
from localdistill.sandbox.program import run_program
from localdistill.sandbox.session import Child, Outcome, Over, Slot

_JUDGE_MEMORY = 2 << 30
_JUDGE_OWN_S = 20.0  # what test code may take by itself, beside the candidate's answers
_TOTAL_FACTOR = 10  # a test function's calls together, in units of the limit for one
_COMPARE_S = 10
_SHOWN = 60  # characters of a value in a detail
_CLAIMS = ("runtime_error", "syntax_error", "memory_exceeded", "output_exceeded", "failed")


@dataclass(frozen=True)
class Task:
    """One candidate with its tests, as it comes from the run's process."""

    code: str
    tests: dict[str, Any] | None
    entry_point: str | None
    time_limit_s: float
    memory_bytes: int

    @property
    def limits(self) -> Limits:
        """The candidate's; its processor time is bounded by the deadline long before this."""
        return Limits(self.memory_bytes, int(self.time_limit_s * _TOTAL_FACTOR) + 5)


@dataclass
class Grade:
    """The result, with seconds that the candidate took, by the clock and of processor."""

    status: str
    detail: str = ""
    busy_s: float = 0.0
    cpu_s: float = 0.0


@dataclass(frozen=True)
class Slots:
    """The two warm parents: one for candidates, one for test code."""

    candidate: Slot
    judge: Slot


def grade(slots: Slots, task: Task) -> Grade:
    """Grade ``task``.

    Raises:
        PitBroken: a warm parent does not do its work.
    """
    tests = task.tests or {}
    if not (tests.get("cases") or tests.get("asserts") or tests.get("code", "").strip()):
        return Grade("failed", "the problem has no tests")
    if tests["kind"] == "stdin":
        return _grade_program(slots.candidate, task, tests["cases"])
    child = Child(slots.candidate, task.limits)
    try:
        outcome = _grade_module(slots, task, tests, child)
    except Over as over:
        outcome = over.outcome
    finally:
        end = child.close()
    return Grade(*outcome, busy_s=child.busy_s, cpu_s=end.cpu_s)


def _grade_program(slot: Slot, task: Task, cases: list[dict[str, str]]) -> Grade:
    result = Grade("passed")
    for number, case in enumerate(cases, start=1):
        run = run_program(slot, task.limits, task.code, case["input"], task.time_limit_s)
        result.busy_s += run.busy_s
        result.cpu_s = max(result.cpu_s, run.cpu_s)
        if run.over is not None:
            result.status, result.detail = run.over[0], f"case {number}: {run.over[1]}"
            return result
        output = run.output.decode("utf-8", "replace")
        if not same_output(case["output"], output):
            result.status = "failed"
            result.detail = f"case {number}: {_difference(case['output'], output)}"
            return result
    return result


def _grade_module(slots: Slots, task: Task, tests: dict[str, Any], child: Child) -> Outcome:
    source = task.code.encode("utf-8", "surrogatepass")
    kind, body = child.ask(MODULE, source, task.time_limit_s)
    if kind != LOADED:
        raise _claimed_end(kind, body)
    if tests["kind"] == "call":
        return _grade_calls(task, tests["cases"], child)
    return _Judging(task, child).run(slots.judge, tests)


def _grade_calls(task: Task, cases: list[dict[str, Any]], child: Child) -> Outcome:
    if not task.entry_point:
        return "failed", "the problem names no entry point to call"
    for number, case in enumerate(cases, start=1):
        request = encode((task.entry_point, case["args"], {}))
        try:
            kind, body = child.ask(CALL, request, task.time_limit_s)
            if kind == FATAL:
                raise _claimed_end(kind, body)
        except Over as end:
            raise Over(end.outcome[0], f"case {number}: {end.outcome[1]}") from None
        if kind == RAISED:
            return "runtime_error", f"case {number}: {_raised_text(body)}"
        if kind != VALUE:
            raise _claimed_end(kind, body)
        try:
            with _alarm():
                value, _ = decode_pair(body)
                same = same_value(case["expected"], value)
        except (CodecError, TimeoutError, RecursionError) as error:
            return "failed", f"case {number}: not a comparable value: {error}"
        if not same:
            return "failed", f"case {number}: {_difference(case['expected'], value)}"
    return "passed", ""


class _Judging:
    """Runs test code in the judge's process and carries its calls to the candidate's."""

    def __init__(self, task: Task, child: Child) -> None:
        self._task = task
        self._candidate = child
        self._calls = 0
        self._stop = time.monotonic() + task.time_limit_s * _TOTAL_FACTOR + _JUDGE_OWN_S

    def run(self, slot: Slot, tests: dict[str, Any]) -> Outcome:
        order = dict(tests, entry_point=self._task.entry_point)
        if tests["kind"] == "asserts":
            order["names"] = self._names(tests)
        elif not self._task.entry_point:
            return "failed", "the problem names no entry point to check"
        judge = Child(slot, Limits(_JUDGE_MEMORY, int(_JUDGE_OWN_S) + 5))
        try:
            outcome = self._converse(judge, encode(order))
        finally:
            judge.close()
        if outcome[0] == "passed" and self._calls == 0:
            return "failed", "the tests never call the candidate"
        return outcome

    def _names(self, tests: dict[str, Any]) -> dict[str, tuple[str, Any]]:
        """What the candidate says about the names that the tests need from it."""
        entry = self._task.entry_point or names.entry_point(tests["asserts"])
        wanted = names.free_names(tests["setup"], tests["asserts"]) - {entry}
        found: dict[str, tuple[str, Any]] = {entry: ("function", None)} if entry else {}
        if wanted:
            ordered = sorted(wanted)
            kind, body = self._candidate.ask(NAMES, encode(ordered), self._task.time_limit_s)
            described = decode(body) if kind == VALUE else []
            for name, (what, value) in zip(ordered, described, strict=False):
                if what in ("function", "class", "value", "module"):
                    found[name] = (what, value)
        return found

    def _converse(self, judge: Child, order: bytes) -> Outcome:
        kind, body = self._to_judge(judge, JUDGE, order)
        while kind in (CALL, MAKE, GET, SET):
            self._calls += kind == CALL
            left = self._stop - time.monotonic()
            if left <= 0:
                raise Over("timeout", f"{self._calls} calls took too long together")
            limit_s = min(self._task.time_limit_s, left)
            answer_kind, answer = self._candidate.ask(kind, body, limit_s)
            if answer_kind not in (VALUE, RAISED):
                raise _claimed_end(answer_kind, answer)
            kind, body = self._to_judge(judge, answer_kind, answer)
        if kind != RESULT:
            return "infra_error", "the judge answered out of turn"
        status, detail = decode(body)
        return str(status), str(detail)

    def _to_judge(self, judge: Child, kind: bytes, body: bytes) -> tuple[bytes, bytes]:
        limit_s = min(_JUDGE_OWN_S, max(self._stop - time.monotonic(), 0.1))
        try:
            return judge.ask(kind, body, limit_s)
        except Over as over:
            # The value that the candidate returned may be what the tests cannot cope with.
            raise Over("failed", f"the tests ended early: {over.outcome[1]}") from None


def _claimed_end(kind: bytes, body: bytes) -> Over:
    """What a child says about its own failure: believed, because it can only be a failure."""
    try:
        if kind == FATAL:
            status, detail = decode(body)
            if status in _CLAIMS:
                return Over(status, str(detail)[:300])
    except (CodecError, TypeError, ValueError):
        pass
    return Over("runtime_error", "an answer out of turn")


def _raised_text(body: bytes) -> str:
    try:
        return str(decode(body)[1])[:300]
    except (CodecError, TypeError, IndexError):
        return "an exception"


def _difference(expected: object, actual: object) -> str:
    return f"expected {_shown(expected)}, got {_shown(actual)}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    """End what adversarial values have made slow, with TimeoutError."""

    def ring(number: int, at: FrameType | None) -> None:
        raise TimeoutError("comparing it takes too long")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(_COMPARE_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
