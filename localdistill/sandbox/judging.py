"""Test code and candidate brought together: the judge's process asks, the candidate's answers.

The pit carries the frames between the two, and sees to the time.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from localdistill.sandbox import names
from localdistill.sandbox.candidate import (
    CALL,
    CALLS,
    FATAL,
    GET,
    LOADED,
    MAKE,
    MODULE,
    MODULE_AND_CALLS,
    NAMES,
    RAISED,
    SET,
    VALUE,
)
from localdistill.sandbox.claims import claimed_end
from localdistill.sandbox.codec import CodecError
from localdistill.sandbox.confine import Limits
from localdistill.sandbox.decode import decode, decode_blobs
from localdistill.sandbox.judge import JUDGE, NOT_PLAIN, RESULT
from localdistill.sandbox.requests import pack
from localdistill.sandbox.session import Outcome, Over, Several
from localdistill.sandbox.slot import RunningChild
from localdistill.sandbox.slots import Slots
from localdistill.sandbox.task import TOTAL_FACTOR, Task

_JUDGE_MEMORY = 2 << 30
_JUDGE_OWN_S = 10.0  # what test code may take by itself, beside the candidate's answers
_NAMES_BYTES = 1 << 16
_LET_GO_S = 1.0
_AHEAD_BYTES = 16 << 20
_STATUSES = ("passed", "failed", "runtime_error", "infra_error")  # of tests

Answered = tuple[bytes, bytes, bytes]  # a request, the kind of its answer, the answer


def load(task: Task, candidate: RunningChild) -> None:
    """Have a candidate's module loaded.

    Raises:
        Over: that was its end.
    """
    source = task.code.encode("utf-8", "surrogatepass")
    kind, body = candidate.ask(MODULE, source, task.time_limit_s)
    if kind != LOADED:
        raise claimed_end(kind, body)


class Judging:
    """One run of test code against one candidate, which is not loaded yet."""

    def __init__(self, slots: Slots, task: Task, candidate: RunningChild) -> None:
        self._slots = slots
        self._task = task
        self._candidate = candidate
        self._calls = 0
        self._judge_is_over = False
        self._ended: Over | None = None  # how the candidate ended, ahead of the tests
        self._stop = time.monotonic() + task.time_limit_s * TOTAL_FACTOR + _JUDGE_OWN_S

    def run(self, tests: dict[str, Any]) -> Outcome:
        """Load the candidate, and run ``tests`` of kind check or asserts in the judge's slot.

        Raises:
            Over: the candidate's process, or the judge's, came to an end of its own.
        """
        self._known = self._slots.memory.of(tests, self._task.entry_point)
        answers = self._load()
        if tests["kind"] == "check" and not self._task.entry_point:
            return "failed", "the problem names no entry point to check"
        order = {
            **tests,
            "entry_point": self._task.entry_point,
            "names": self._names(tests) if tests["kind"] == "asserts" else {},
            "answers": answers,
            "prepared": self._known.prepared,
        }
        outcome: Outcome = (NOT_PLAIN, "")
        if self._known.plain:
            outcome = self._on_the_bench(pack({**order, "plain": True}))
        if outcome[0] == NOT_PLAIN:
            self._known.plain = False
            # As the bench has prepared them, where no candidate's text can have been run.
            order["prepared"] = self._known.prepared
            outcome = self._alone(pack({**order, "plain": False}), untouched=not answers)
        return outcome

    def _load(self) -> list[Answered]:
        """Load the candidate; its answers to the calls that its tests are known to make."""
        calls = self._known.calls
        if not calls:
            load(self._task, self._candidate)
            return []
        body = pack((self._task.code, calls))
        return self._ask_all(MODULE_AND_CALLS, body, calls, LOADED)

    def _on_the_bench(self, order: bytes) -> Outcome:
        judge = self._slots.bench.child()
        try:
            return self._converse(judge, order, plain=True)
        except Over:
            if self._judge_is_over or not _let_go(judge):
                self._slots.bench.drop()
            raise

    def _alone(self, order: bytes, *, untouched: bool) -> Outcome:
        """``untouched``: no answer of a candidate's is in ``order``."""
        judge = self._slots.judge().child(Limits(_JUDGE_MEMORY, int(_JUDGE_OWN_S) + 5))
        try:
            return self._converse(judge, order, untouched=untouched)
        finally:
            judge.close()

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
        kind, body = self._candidate.ask(NAMES, pack(wanted), self._task.time_limit_s)
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

    def _converse(
        self, judge: RunningChild, order: bytes, *, plain: bool = False, untouched: bool = False
    ) -> Outcome:
        """Carry frames until the judge has a status.

        What it says of the tests is kept for later candidates only where no candidate can have had
        a hand in it: in a process for ``plain`` tests, or as long as none of its answers has
        crossed (``untouched``). Other tests may run what a candidate returned as code.
        """
        kind, body = self._to_judge(judge, JUDGE, order)
        while kind in (CALL, CALLS, MAKE, GET, SET):
            if kind == CALLS:
                calls = self._calls_in(body)
                # Of candidates that have named something, they are calls of what this one has.
                if (plain or untouched) and not self._task.names_from_candidate:
                    self._known.learn_calls(calls)
                untouched = False
                # Not asked again once it has ended: it could answer late, in time given twice.
                ended = self._ended is not None
                answers = [] if ended else self._ask_all(CALLS, pack(calls), calls)
                kind, body = self._to_judge(judge, VALUE, pack(answers))
                continue
            if self._ended is not None:
                raise self._ended
            untouched = False
            self._calls += kind == CALL
            answer_kind, answer = self._candidate.ask(kind, body, self._limit_s())
            if answer_kind not in (VALUE, RAISED):
                raise claimed_end(answer_kind, answer)
            kind, body = self._to_judge(judge, answer_kind, answer)
        if kind != RESULT:
            return "infra_error", "the judge answered out of turn"
        try:
            status_bytes, detail_bytes, prepared = decode_blobs(body)
        except (CodecError, ValueError):
            return "infra_error", "the judge gave no status"
        status, detail = (b.decode("utf-8", "replace") for b in (status_bytes, detail_bytes))
        if prepared and plain and not self._task.names_from_candidate:
            self._known.learn_prepared(prepared)
        if status not in _STATUSES and not (plain and status == NOT_PLAIN):
            return "infra_error", "the judge gave no status"
        return status, detail

    def _calls_in(self, body: bytes) -> tuple[bytes, ...]:
        """The calls that the judge asks for at once."""
        try:
            return tuple(decode_blobs(body))
        except CodecError:
            raise Over("infra_error", "the judge asked out of turn") from None

    def _ask_all(
        self, kind: bytes, body: bytes, calls: tuple[bytes, ...], first: bytes = b""
    ) -> list[Answered]:
        """Ask for several answers at once; those there are, up to one that is an end.

        What ends the candidate is told only where the tests come to that call: they may find fault
        before. ``first`` is the kind of what comes before the answers.

        Raises:
            Over: not even ``first`` came.
        """
        left = self._stop - time.monotonic()
        count = len(calls) + len(first)
        order = Several(count, VALUE + first, self._task.time_limit_s, left, _AHEAD_BYTES)
        answers, self._ended = self._candidate.ask_several(order, kind, body)
        if first:
            if not answers:
                raise self._ended or Over("runtime_error", "an answer out of turn")
            if answers[0][0] != first:
                raise claimed_end(*answers[0])
            del answers[0]
        for place, (answer_kind, answer) in enumerate(answers):
            if answer_kind not in (VALUE, RAISED):
                self._ended = claimed_end(answer_kind, answer)
                del answers[place:]
                break
        self._calls += len(answers)
        return [(call, *answer) for call, answer in zip(calls, answers, strict=False)]

    def _limit_s(self) -> float:
        left = self._stop - time.monotonic()
        if left <= 0:
            raise Over("timeout", f"{self._calls} calls took too long together")
        return min(self._task.time_limit_s, left)

    def _to_judge(self, judge: RunningChild, kind: bytes, body: bytes) -> tuple[bytes, bytes]:
        limit_s = min(_JUDGE_OWN_S, max(self._stop - time.monotonic(), 0.1))
        try:
            return judge.ask(kind, body, limit_s)
        except Over as over:
            self._judge_is_over = True
            # The value that the candidate returned may be what the tests cannot cope with.
            raise Over("failed", f"the tests ended early: {over.outcome[1]}") from None


def _let_go(judge: RunningChild) -> bool:
    """Tell a judge that waits for an answer that there will be none; True once it is free."""
    try:
        kind, _ = judge.ask(FATAL, b"", _LET_GO_S)
    except Over:
        return False
    return kind == RESULT
