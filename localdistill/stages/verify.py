"""Stage *verify*: run the program of each completion in the sandbox and record its verdict.

The file of verdicts is the state: an interrupted stage reads it and tests what is missing. What the
verdicts are on stands beside it in ``OUT.request.json``, so that they are never taken for those of
other completions. No candidate program runs in this process.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from localdistill import control
from localdistill.events import Callback, Notice, Scalar, StageFinished, StageStarted
from localdistill.jsonl import refuse_as_output
from localdistill.markers import done_facts, is_done, mark_done, marker
from localdistill.problems import ProblemSet, load
from localdistill.stages import verify_resume as resume
from localdistill.stages.verify_follow import FollowedCompletions, put_off_path
from localdistill.stages.verify_request import VerifyRequest
from localdistill.stages.verify_work import Open, Work, sandbox_use
from localdistill.stages.writer_lock import WriterLock
from localdistill.types import SandboxUse

if TYPE_CHECKING:
    from localdistill.sandbox import Sandbox

__all__ = ["VerifyRequest", "VerifySummary", "run", "try_sandbox"]


class VerifySummary(BaseModel):
    """What is in the file of verdicts, and under which sandbox tier the last of them came about."""

    model_config = ConfigDict(frozen=True)

    completions: int
    passed: int
    counts: dict[str, int]  # by status
    tier: str | None  # None: nothing had to be run
    not_covered: list[str] = []  # what that tier does not protect from, a sentence each
    passed_over: list[str] = []  # which tiers before it are not there, and why
    unsafe: bool = False  # there was no sandbox, as the user wished
    skipped: bool = False  # all had been tested before


def open_real(kind: str, workers: int | None) -> Sandbox:
    """The sandbox that the command line uses."""
    from localdistill.sandbox import open_sandbox

    return open_sandbox(kind, workers)


def try_sandbox(kind: str) -> SandboxUse:
    """Open a sandbox and close it again; tells which it is.

    Raises:
        SandboxUnavailable: no tier holds on this machine.
    """
    sandbox = open_real(kind, 1)
    sandbox.close()
    return sandbox_use(sandbox)


def run(
    request: VerifyRequest, callback: Callback, *, open_sandbox: Open = open_real
) -> VerifySummary:
    """Write one verdict for each completion to ``request.out``, each exactly once.

    With ``follow``, completions are tested as they are appended, until their writer is done.

    ``infra_error`` is retried and recorded only if it stays. A problem without tests fails all of
    its completions, with a warning. One whose tests cannot be kept apart from the candidate's
    process is left out (``infra_error``, which is never trained on) unless ``inseparable`` is set.

    Raises:
        ConfigError: completions of problems that are not in the set, or ``out`` was begun with
            other problems or completions.
        SandboxUnavailable: no tier holds on this machine.
        StageFailed: the sandbox left completions without a verdict.
        WriterGone: whoever wrote the followed completions has ended before it was done.
    """
    refuse_as_output(request.out, request.completions, Path(request.problems))
    problems = load(request.problems, request.limit)
    work = Work(request, problems, callback)
    with WriterLock(request.out), control.cooperative():
        if resume.drop_damaged(request.out):
            text = f"{request.out}: its record is damaged, so all completions are tested again."
            callback(Notice(level="warning", message=text))
        if request.follow and not is_done(request.completions):
            summary = _follow(request, problems, work, callback, open_sandbox)
        else:
            summary = _test(request, problems, work, callback, open_sandbox)
    shown: dict[str, Scalar] = {"completions": summary.completions, **summary.counts}
    callback(StageFinished(stage="verify", summary=shown, skipped=summary.skipped))
    return summary


def _test(
    request: VerifyRequest,
    problems: ProblemSet,
    work: Work,
    callback: Callback,
    open_sandbox: Open,
) -> VerifySummary:
    keys = resume.keys_in(request.completions, problems)
    resume.adopt(request.completions, request.out, problems)
    work.read_done()
    work.owe(keys)
    callback(_started(len(keys), len(keys) - len(work.owed)))
    if is_done(request.out) and not work.owed:
        return VerifySummary(**{**done_facts(request.out), "skipped": True})
    marker(request.out).unlink(missing_ok=True)
    work.warn_of_problems()
    work.test(open_sandbox)
    return _finish(request, work)


def _follow(
    request: VerifyRequest,
    problems: ProblemSet,
    work: Work,
    callback: Callback,
    open_sandbox: Open,
) -> VerifySummary:
    marker(request.out).unlink(missing_ok=True)
    with FollowedCompletions(request.completions, request.out, problems) as completions:
        completions.check()
        callback(_started(request.expected, work.read_done()))
        work.warn_of_problems()
        work.follow(completions, open_sandbox)
    summary = _finish(request, work)
    put_off_path(request.out).unlink(missing_ok=True)
    return summary


def _finish(request: VerifyRequest, work: Work) -> VerifySummary:
    work.warn_of_verdicts()
    summary = VerifySummary(
        completions=work.counts.total(),
        passed=work.counts["passed"],
        counts=dict(work.counts.most_common()),
        **(work.use.model_dump() if work.use else {"tier": None}),
    )
    mark_done(request.out, **summary.model_dump(mode="json"))
    return summary


def _started(total: int | None, done: int) -> StageStarted:
    return StageStarted(stage="verify", title="verify", total=total, done=done, unit="completions")
