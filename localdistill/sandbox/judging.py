"""Test code and candidate brought together: the judge's process asks, the candidate's answers.

The pit carries the frames between the two, and sees to the time.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from localdistill.sandbox import names
from localdistill.sandbox.candidate import CALL, GET, MAKE, NAMES, RAISED, SET, VALUE
from localdistill.sandbox.claims import claimed_end
from localdistill.sandbox.codec import CodecError, encode
from localdistill.sandbox.confine import Limits
from localdistill.sandbox.decode import decode
from localdistill.sandbox.judge import JUDGE, RESULT
from localdistill.sandbox.session import Child, Outcome, Over, Slot
from localdistill.sandbox.task import TOTAL_FACTOR, Task

_JUDGE_MEMORY = 2 << 30
_JUDGE_OWN_S = 10.0  # what test code may take by itself, beside the candidate's answers
_NAMES_BYTES = 1 << 16


class Judging:
    """One run of test code against one loaded candidate."""

    def __init__(self, task: Task, child: Child) -> None:
        self._task = task
        self._candidate = child
        self._calls = 0
        self._stop = time.monotonic() + task.time_limit_s * TOTAL_FACTOR + _JUDGE_OWN_S

    def run(self, slot: Slot, tests: dict[str, Any]) -> Outcome:
        """Run ``tests`` of kind check or asserts in a child of ``slot``.

        Raises:
            Over: the candidate's process, or the judge's, came to an end of its own.
        """
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
        """What the names stand for that the tests use and do not define."""
        entry = self._task.entry_point or names.entry_point(tests["asserts"])
        found: dict[str, tuple[str, Any]] = {entry: ("function", None)} if entry else {}
        wanted = names.free_names(tests["setup"], tests["asserts"]) - {entry}
        modules = wanted & sys.stdlib_module_names
        found.update((name, ("module", None)) for name in modules)
        wanted -= modules
        if wanted and not self._task.names_from_candidate:
            # A candidate that says what they are could say it so that the tests are content.
            missing = ", ".join(sorted(wanted))
            raise Over("infra_error", f"the tests need {missing} from the candidate")
        if wanted:
            found.update(self._described(sorted(wanted)))
        return found

    def _described(self, wanted: list[str]) -> dict[str, tuple[str, Any]]:
        kind, body = self._candidate.ask(NAMES, encode(wanted), self._task.time_limit_s)
        if kind != VALUE or len(body) > _NAMES_BYTES:
            raise claimed_end(kind, body)
        try:
            described = {
                n: (what, value) for n, (what, value) in zip(wanted, decode(body), strict=True)
            }
        except (CodecError, TypeError, ValueError):
            raise Over("runtime_error", "an answer out of turn") from None
        known = ("function", "class", "value")
        return {n: pair for n, pair in described.items() if pair[0] in known}

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
                raise claimed_end(answer_kind, answer)
            kind, body = self._to_judge(judge, answer_kind, answer)
        if kind != RESULT:
            return "infra_error", "the judge answered out of turn"
        status, detail = decode(body)
        if status not in ("passed", "failed", "runtime_error", "infra_error"):
            return "infra_error", "the judge gave no status"
        return status, str(detail)

    def _to_judge(self, judge: Child, kind: bytes, body: bytes) -> tuple[bytes, bytes]:
        limit_s = min(_JUDGE_OWN_S, max(self._stop - time.monotonic(), 0.1))
        try:
            return judge.ask(kind, body, limit_s)
        except Over as over:
            # The value that the candidate returned may be what the tests cannot cope with.
            raise Over("failed", f"the tests ended early: {over.outcome[1]}") from None
