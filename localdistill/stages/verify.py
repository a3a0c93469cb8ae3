"""Stage *verify*: run the program of each completion in the sandbox and record its verdict.

The file of verdicts is the state: an interrupted stage reads it and tests what is missing. What the
verdicts are on stands beside it in ``OUT.request.json``, so that they are never taken for those of
other completions. No candidate program runs in this process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from localdistill.errors import StageFailed
from localdistill.events import (
    Callback,
    Notice,
    Scalar,
    StageFinished,
    StageStarted,
)
from localdistill.jsonl import (
    JsonlWriter,
    cut_torn_tail,
    done_facts,
    is_done,
    iter_rows,
    mark_done,
    marker,
    refuse_as_output,
)
from localdistill.problems import load
from localdistill.problems.extract import extract_code
from localdistill.stages import verify_resume as resume
from localdistill.stages.verify_progress import MissingModules, Progress
from localdistill.types import Completion, Problem, SandboxUse, Status, Verdict

if TYPE_CHECKING:
    from localdistill.sandbox import Job, Sandbox

MAX_WORKERS = 512
_ATTEMPTS = 3  # at a completion that ends in infra_error, before that is recorded
_REASONS = 5  # in a warning


class VerifyRequest(BaseModel):
    """What to test, where, and where the verdicts go."""

    model_config = ConfigDict(frozen=True)

    problems: str  # a specification, see localdistill.problems
    limit: int | None = Field(default=None, ge=1)
    completions: Path
    out: Path
    sandbox: str = "auto"
    workers: int | None = Field(default=None, ge=1, le=MAX_WORKERS)  # None: chosen by the sandbox
    confirm: bool = True  # run passes again with another hash seed
    inseparable: bool = False  # also grade where tests reach into the candidate, who can then lie


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


Open = Callable[[str, int | None], "Sandbox"]


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


def sandbox_use(sandbox: Sandbox) -> SandboxUse:
    """What is to be told of a sandbox."""
    return SandboxUse(
        tier=sandbox.tier,
        not_covered=list(sandbox.not_covered),
        passed_over=list(sandbox.passed_over),
        unsafe=sandbox.unsafe,
    )


def run(
    request: VerifyRequest, callback: Callback, *, open_sandbox: Open = open_real
) -> VerifySummary:
    """Write one verdict for each completion to ``request.out``, each exactly once.

    ``infra_error`` is retried and recorded only if it stays. A problem without tests fails all of
    its completions, with a warning. One whose tests cannot be kept apart from the candidate's
    process is left out (``infra_error``, which is never trained on) unless ``inseparable`` is set.

    Raises:
        ConfigError: completions of problems that are not in the set, or ``out`` was begun with
            other problems or completions.
        SandboxUnavailable: no tier holds on this machine.
        StageFailed: the sandbox left completions without a verdict.
    """
    refuse_as_output(request.out, request.completions, Path(request.problems))
    problems = load(request.problems, request.limit)
    keys = resume.keys_in(request.completions, problems)
    resume.adopt(request.completions, request.out, problems)
    work = _Work(request, {problem.id: problem for problem in problems.problems}, callback)
    work.read_done(keys)
    finished = is_done(request.out) and not work.owed
    callback(work.started(len(keys)))
    if finished:
        summary = VerifySummary(**{**done_facts(request.out), "skipped": True})
    else:
        marker(request.out).unlink(missing_ok=True)
        work.warn_of_missing_tests()
        work.warn_of_inseparable()
        work.test(open_sandbox)
        work.warn_of_unjudged()
        if notice := work.missing.notice():
            callback(notice)
        summary = work.summary()
        mark_done(request.out, **summary.model_dump(mode="json"))
    shown: dict[str, Scalar] = {"completions": summary.completions, **summary.counts}
    callback(StageFinished(stage="verify", summary=shown, skipped=finished))
    return summary


class _Work:
    """What is owed and what has been found, while the stage runs."""

    def __init__(
        self, request: VerifyRequest, problems: dict[str, Problem], callback: Callback
    ) -> None:
        self.request = request
        self.problems = problems
        self.callback = callback
        self.left_out = {} if request.inseparable else _inseparable(problems)  # id: reason
        self.owed: set[resume.Key] = set()
        self.counts: Counter[str] = Counter()
        self.use: SandboxUse | None = None
        self.missing = MissingModules()

    def read_done(self, keys: set[resume.Key]) -> None:
        self.owed = set(keys)
        cut_torn_tail(self.request.out)
        if self.request.out.exists():
            for row in iter_rows(self.request.out, Verdict):
                if row.key in self.owed:
                    self.owed.remove(row.key)
                    self.counts[row.status] += 1

    def started(self, total: int) -> StageStarted:
        done = total - len(self.owed)
        return StageStarted(
            stage="verify", title="verify", total=total, done=done, unit="completions"
        )

    def warn_of_missing_tests(self) -> None:
        without = sum(problem.tests is None for problem in self.problems.values())
        if without:
            message = f"{without} of {len(self.problems)} problems have no tests"
            self.callback(Notice(level="warning", message=f"{message}: none of theirs can pass."))

    def warn_of_inseparable(self) -> None:
        if not self.left_out:
            return
        shown = [f"{name}: {why}" for name, why in list(self.left_out.items())[:_REASONS]]
        shown += ["..."] if len(self.left_out) > _REASONS else []
        message = f"{len(self.left_out)} of {len(self.problems)} problems are left out, because"
        message = (
            f"{message} their tests cannot be kept apart from a candidate ({'; '.join(shown)})"
        )
        self.callback(Notice(level="warning", message=f"{message}; --inseparable grades them."))

    def warn_of_unjudged(self) -> None:
        if unjudged := self.counts["infra_error"]:
            message = f"{unjudged} completions could not be judged (infra_error) and do not count"
            self.callback(Notice(level="warning", message=f"{message}; see their detail."))

    def test(self, open_sandbox: Open) -> None:
        with JsonlWriter(self.request.out) as writer:
            self.settle_untestable(writer)
            if not self.owed:
                return
            sandbox = open_sandbox(self.request.sandbox, self.request.workers)
            try:
                self.use = sandbox_use(sandbox)
                self.announce(self.use)
                progress = Progress(self.counts, self.callback)
                for attempt in range(1, _ATTEMPTS + 1):
                    if self.owed:
                        self.attempt(sandbox, writer, progress, last=attempt == _ATTEMPTS)
                progress.report()
            finally:
                sandbox.close()
        if self.owed:
            message = f"verify: the sandbox gave no verdict on {len(self.owed)} completions"
            raise StageFailed(f"{message}, such as {min(self.owed)}; the same command tries again.")

    def attempt(
        self, sandbox: Sandbox, writer: JsonlWriter, progress: Progress, *, last: bool
    ) -> None:
        for verdict in sandbox.run(self.jobs()):
            # Only what is owed: a sandbox that answers twice must not make two rows.
            if verdict.key in self.owed and (last or verdict.status != "infra_error"):
                self.record(writer, verdict)
                progress.tick()

    def settle_untestable(self, writer: JsonlWriter) -> None:
        settled: dict[str, tuple[Status, str]] = {
            name: ("failed", "the problem has no tests")
            for name, problem in self.problems.items()
            if problem.tests is None
        }
        settled |= {name: ("infra_error", f"left out: {w}") for name, w in self.left_out.items()}
        for problem_id, sample in sorted(key for key in self.owed if key[0] in settled):
            status, detail = settled[problem_id]
            self.record(
                writer,
                Verdict(problem_id=problem_id, sample=sample, status=status, detail=detail),
            )

    def record(self, writer: JsonlWriter, verdict: Verdict) -> None:
        writer.write(verdict)
        self.owed.remove(verdict.key)
        self.counts[verdict.status] += 1
        self.missing.look_at(verdict)

    def jobs(self) -> Iterator[Job]:
        """What is owed, read again from the file: a million programs need not fit in memory."""
        from localdistill.sandbox import Job

        waiting = set(self.owed)  # the sandbox may ask for jobs while verdicts come in
        for row in iter_rows(self.request.completions, Completion):
            if row.key in waiting:
                problem = self.problems[row.problem_id]
                yield Job(
                    row.key,
                    extract_code(row.text, problem),
                    problem,
                    confirm=self.request.confirm,
                    names_from_candidate=self.request.inseparable,
                )

    def announce(self, use: SandboxUse) -> None:
        passed_over = [f"Passed over: {'; '.join(use.passed_over)}."] if use.passed_over else []
        message = " ".join([f"Sandbox tier {use.tier}.", *use.not_covered, *passed_over])
        self.callback(Notice(level="warning" if use.unsafe else "info", message=message))

    def summary(self) -> VerifySummary:
        return VerifySummary(
            completions=self.counts.total(),
            passed=self.counts["passed"],
            counts=dict(self.counts.most_common()),
            **(self.use.model_dump() if self.use else {"tier": None}),
        )


def _inseparable(problems: dict[str, Problem]) -> dict[str, str]:
    from localdistill.sandbox import separable

    found = {name: separable.reason(problem) for name, problem in problems.items()}
    return {name: why for name, why in found.items() if why is not None}
