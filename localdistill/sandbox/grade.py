"""How one candidate is graded, by the kind of its problem's tests. Runs in the pit.

No untrusted code runs in this process. Whatever comes from a candidate's process is a claim about a
value. The status comes from comparing it here, or from the judge's process, to which the
candidate's has no way.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

from localdistill.sandbox.candidate import CALL, FATAL, LOADED, MODULE, RAISED, VALUE
from localdistill.sandbox.claims import claimed_end, raised_text
from localdistill.sandbox.codec import CodecError, encode
from localdistill.sandbox.compare import same_output, same_value
from localdistill.sandbox.decode import decode_pair
from localdistill.sandbox.judging import Judging
from localdistill.sandbox.program import run_program
from localdistill.sandbox.session import Child, Outcome, Over, Slot
from localdistill.sandbox.task import Grade, Task

_COMPARE_S = 10
_SHOWN = 60  # characters of a value in a detail


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
    except CodecError as error:
        outcome = ("infra_error", f"the tests cannot be handed over: {error}")
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
        raise claimed_end(kind, body)
    if tests["kind"] == "call":
        return _grade_calls(task, tests["cases"], child)
    return Judging(task, child).run(slots.judge, tests)


def _grade_calls(task: Task, cases: list[dict[str, Any]], child: Child) -> Outcome:
    if not task.entry_point:
        return "failed", "the problem names no entry point to call"
    for number, case in enumerate(cases, start=1):
        request = encode((task.entry_point, case["args"], {}))
        try:
            kind, body = child.ask(CALL, request, task.time_limit_s)
            if kind == FATAL:
                raise claimed_end(kind, body)
        except Over as end:
            raise Over(end.outcome[0], f"case {number}: {end.outcome[1]}") from None
        if kind == RAISED:
            return "runtime_error", f"case {number}: {raised_text(body)}"
        if kind != VALUE:
            raise claimed_end(kind, body)
        try:
            with _alarm():
                value, _ = decode_pair(body)
                if not same_value(case["expected"], value):
                    return "failed", f"case {number}: {_difference(case['expected'], value)}"
        except (CodecError, TimeoutError, RecursionError) as error:
            return "failed", f"case {number}: not a comparable value: {error}"
    return "passed", ""


def _difference(expected: object, actual: object) -> str:
    return f"expected {_shown(expected)}, got {_shown(actual)}"


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits: it would take minutes
        return "a value with a very long integer"
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
