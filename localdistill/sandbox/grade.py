"""How one candidate is graded, by the kind of its problem's tests. Runs in the pit.

No untrusted code runs in this process, and no untrusted value is looked into. Whatever comes from a
candidate's process is a claim about a value. The status comes from the judge's slot, to which the
candidate's has no way.
"""

from __future__ import annotations

from typing import Any

from localdistill.sandbox.candidate import CALL, FATAL, RAISED, VALUE
from localdistill.sandbox.claims import claimed_end, raised_text
from localdistill.sandbox.codec import CodecError
from localdistill.sandbox.judging import Judging, load
from localdistill.sandbox.observing import observe
from localdistill.sandbox.requests import pack
from localdistill.sandbox.session import Outcome, Over
from localdistill.sandbox.slot import AnySlot, RunningChild
from localdistill.sandbox.slots import Slots
from localdistill.sandbox.task import OBSERVE, OBSERVED, Grade, Task


def grade(slots: Slots, task: Task) -> Grade:
    """Grade ``task``; where it is to be confirmed, a pass only after a second one.

    Raises:
        PitBroken: a warm parent does not do its work.
    """
    first = _grade_in(slots, slots.candidate, task)
    if first.status != "passed" or not task.confirm:
        return first
    second = _grade_in(slots, slots.again(), task)
    second.busy_s = max(first.busy_s, second.busy_s)
    if second.status not in ("passed", "timeout", "infra_error"):
        second.detail = f"passed, then with another hash seed {second.status}: {second.detail}"
        second.status = "nondeterministic"
    return second


def _grade_in(slots: Slots, slot: AnySlot, task: Task) -> Grade:
    tests = task.tests or {}
    if not (tests.get("cases") or tests.get("asserts") or tests.get("code", "").strip()):
        return Grade("failed", "the problem has no tests")
    if tests["kind"] == "stdin":
        return _grade_program(slots, slot, task, tests["cases"])
    child = slot.child(task.limits)
    results: list[str] | None = None
    try:
        if tests["kind"] == OBSERVE:
            load(task, child)
            results = observe(slots, task, tests["cases"], child)
            outcome: Outcome = (OBSERVED, "")
        else:
            outcome = _grade_module(slots, task, tests, child)
    except Over as over:
        outcome = over.outcome
    except CodecError as error:
        outcome = ("infra_error", f"the tests cannot be handed over: {error}")
    finally:
        end = child.close()
    return Grade(*outcome, busy_s=child.busy_s, cpu_s=end.cpu_s, results=results)


def _grade_program(slots: Slots, slot: AnySlot, task: Task, cases: list[dict[str, str]]) -> Grade:
    result = Grade("passed")
    for number, case in enumerate(cases, start=1):
        run = slot.run_program(task.limits, task.code, case["input"], task.time_limit_s)
        result.busy_s += run.busy_s
        result.cpu_s = max(result.cpu_s, run.cpu_s)
        if run.over is not None:
            result.status, result.detail = run.over[0], f"case {number}: {run.over[1]}"
            return result
        if wrong := slots.comparer.output(case["output"], run.output):
            result.status, result.detail = "failed", f"case {number}: {wrong}"
            return result
    return result


def _grade_module(slots: Slots, task: Task, tests: dict[str, Any], child: RunningChild) -> Outcome:
    if tests["kind"] == "call":
        load(task, child)
        return _grade_calls(slots, task, tests["cases"], child)
    return Judging(slots, task, child).run(tests)


def _grade_calls(
    slots: Slots, task: Task, cases: list[dict[str, Any]], child: RunningChild
) -> Outcome:
    if not task.entry_point:
        return "failed", "the problem names no entry point to call"
    for number, case in enumerate(cases, start=1):
        request = pack((task.entry_point, case["args"], {}))
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
        if wrong := slots.comparer.value(case["expected"], body):
            return "failed", f"case {number}: {wrong}"
    return "passed", ""
