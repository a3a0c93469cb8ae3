"""What *verify* owes and has found: jobs go to the sandbox, verdicts to the file."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from localdistill import control
from localdistill.errors import StageFailed
from localdistill.events import Callback, Notice
from localdistill.jsonl import JsonlWriter, cut_torn_tail, iter_rows
from localdistill.problems import ProblemSet
from localdistill.problems.extract import extract_code
from localdistill.stages import verify_resume as resume
from localdistill.stages.verify_follow import FollowedCompletions
from localdistill.stages.verify_progress import MissingModules, Progress
from localdistill.stages.verify_request import VerifyRequest
from localdistill.types import Completion, Problem, SandboxUse, Status, Verdict

if TYPE_CHECKING:
    from localdistill.sandbox import Job, Sandbox

_ATTEMPTS = 3  # at a completion that ends in infra_error, before that is recorded
_REASONS = 5  # in a warning
_GRADE_THEM = "verify.inseparable (--inseparable) grades them, for training"

Open = Callable[[str, int | None], "Sandbox"]


def sandbox_use(sandbox: Sandbox) -> SandboxUse:
    """What is to be told of a sandbox."""
    return SandboxUse(
        tier=sandbox.tier,
        not_covered=list(sandbox.not_covered),
        passed_over=list(sandbox.passed_over),
        unsafe=sandbox.unsafe,
    )


class Work:
    """Tests what is owed and writes a verdict for each, with the warnings that a person needs."""

    def __init__(self, request: VerifyRequest, problems: ProblemSet, callback: Callback) -> None:
        self.request = request
        self.callback = callback
        self.owed: set[resume.Key] = set()
        self.counts: Counter[str] = Counter()  # verdicts by status
        self.use: SandboxUse | None = None  # where programs ran; None: nowhere
        self._problems = {problem.id: problem for problem in problems.problems}
        self._keys = resume.Keys(request.completions, problems)
        self._before: dict[resume.Key, Status] = {}  # verdicts of earlier calls
        self._left_out = {} if request.inseparable else _inseparable(self._problems)  # id: reason
        self._settled = _settled(self._problems, self._left_out)
        self._missing = MissingModules()
        self._total = request.expected  # in the end; None: not known, or as told at the start
        self._recording = threading.Lock()  # the sandbox draws jobs in threads of its own

    def read_done(self) -> int:
        """Read the verdicts that are there; returns how many they are."""
        cut_torn_tail(self.request.out)
        if self.request.out.exists():
            self._before = {row.key: row.status for row in iter_rows(self.request.out, Verdict)}
        return len(self._before)

    def owe(self, keys: set[resume.Key]) -> None:
        """Take up completions: those without a verdict are owed one."""
        self.owed |= keys - self._before.keys()
        self.counts.update(self._before[key] for key in keys & self._before.keys())

    def warn_of_problems(self) -> None:
        """Warn of problems none of whose completions can pass, or be judged."""
        total = len(self._problems)
        if without := sum(problem.tests is None for problem in self._problems.values()):
            message = f"{without} of {total} problems have no tests: none of theirs can pass."
            self.callback(Notice(level="warning", message=message))
        if self._left_out:
            shown = [f"{name}: {why}" for name, why in list(self._left_out.items())[:_REASONS]]
            shown += ["..."] if len(self._left_out) > _REASONS else []
            message = f"{len(self._left_out)} of {total} problems are left out, because their tests"
            message = f"{message} cannot be kept apart from a candidate ({'; '.join(shown)})"
            self.callback(Notice(level="warning", message=f"{message}; {_GRADE_THEM}"))

    def warn_of_verdicts(self) -> None:
        """Warn of what could not be judged, and tell which modules programs lack."""
        if unjudged := self.counts["infra_error"]:
            message = f"{unjudged} completions could not be judged (infra_error) and do not count"
            self.callback(Notice(level="warning", message=f"{message}; see their detail."))
        if notice := self._missing.notice():
            self.callback(notice)

    def test(self, open_sandbox: Open) -> None:
        """Test all that is owed.

        Raises:
            StageFailed: the sandbox left completions without a verdict.
        """
        with JsonlWriter(self.request.out) as writer:
            for key in sorted(key for key in self.owed if key[0] in self._settled):
                self._record(writer, self._verdict_without_run(key))
            if self.owed:
                with self._sandbox(open_sandbox) as sandbox:
                    self._test_again(sandbox, writer, range(1, _ATTEMPTS + 1))
        self._check_all_judged()

    def follow(self, completions: FollowedCompletions, open_sandbox: Open) -> None:
        """Test completions as they come, until their writer is done.

        What ran out of time, or broke, is tried again then, when the machine is at rest.

        Raises:
            StageFailed: the sandbox left completions without a verdict.
            WriterGone: the writer has ended before it was done.
        """
        with JsonlWriter(self.request.out) as writer, contextlib.ExitStack() as stack:
            jobs = self._arriving(completions, writer)
            if len(self._settled) == len(self._problems):  # there is nothing to run
                for _ in jobs:
                    pass
            else:
                sandbox = stack.enter_context(self._sandbox(open_sandbox))
                self._test_arriving(jobs, sandbox, completions, writer)
                if not completions.died:
                    self._total = len(self._keys.seen)
                    self._test_again(sandbox, writer, range(2, _ATTEMPTS + 1))
        if completions.died:
            raise completions.left_alone()
        self._check_all_judged()

    def _test_arriving(
        self,
        jobs: Iterator[Job],
        sandbox: Sandbox,
        completions: FollowedCompletions,
        writer: JsonlWriter,
    ) -> None:
        progress = self._progress()
        verdicts = sandbox.run(jobs, lambda job: completions.put_off(job.key, "timeout"))
        with contextlib.closing(verdicts):
            try:
                for verdict in verdicts:
                    if verdict.status == "infra_error":
                        completions.put_off(verdict.key, verdict.status)
                    else:
                        self._take(writer, verdict, progress)
            finally:  # before the sandbox is closed, which waits for the job that is being drawn
                completions.stop()

    @contextlib.contextmanager
    def _sandbox(self, open_sandbox: Open) -> Iterator[Sandbox]:
        sandbox = open_sandbox(self.request.sandbox, self.request.workers)
        try:
            self.use = use = sandbox_use(sandbox)
            passed_over = [f"Passed over: {'; '.join(use.passed_over)}."] if use.passed_over else []
            message = " ".join([f"Sandbox tier {use.tier}.", *use.not_covered, *passed_over])
            self.callback(Notice(level="warning" if use.unsafe else "info", message=message))
            yield sandbox
        finally:
            sandbox.close()

    def _test_again(self, sandbox: Sandbox, writer: JsonlWriter, attempts: range) -> None:
        progress = self._progress()
        for attempt in attempts:
            if self.owed:
                with contextlib.closing(sandbox.run(self._jobs())) as verdicts:
                    for verdict in verdicts:
                        if attempt == _ATTEMPTS or verdict.status != "infra_error":
                            self._take(writer, verdict, progress)
            control.check()
        progress.report()

    def _progress(self) -> Progress:
        return Progress(self.counts, self.callback, lambda: self._total)

    def _take(self, writer: JsonlWriter, verdict: Verdict, progress: Progress) -> None:
        # Only what is owed: a sandbox that answers twice must not make two rows.
        if verdict.key in self.owed:
            self._record(writer, verdict)
            progress.tick()
        control.check()

    def _record(self, writer: JsonlWriter, verdict: Verdict) -> None:
        with self._recording:
            writer.write(verdict)
            self.owed.remove(verdict.key)
            self.counts[verdict.status] += 1
            self._missing.look_at(verdict)

    def _verdict_without_run(self, key: resume.Key) -> Verdict:
        status, detail = self._settled[key[0]]
        return Verdict(problem_id=key[0], sample=key[1], status=status, detail=detail)

    def _arriving(self, completions: FollowedCompletions, writer: JsonlWriter) -> Iterator[Job]:
        for row in completions.rows():
            if not control.goes_on():
                return
            self._keys.add(row)
            self.owe({row.key})
            if row.key not in self.owed:
                continue
            if row.problem_id in self._settled:
                self._record(writer, self._verdict_without_run(row.key))
            else:
                yield self._job(row)

    def _jobs(self) -> Iterator[Job]:
        """What is owed, read again from the file: a million programs need not fit in memory."""
        waiting = set(self.owed)  # the sandbox may ask for jobs while verdicts come in
        for row in iter_rows(self.request.completions, Completion):
            if not control.goes_on():
                return
            if row.key in waiting:
                yield self._job(row)

    def _job(self, row: Completion) -> Job:
        from localdistill.sandbox import Job

        problem = self._problems[row.problem_id]
        return Job(
            row.key,
            extract_code(row.text, problem),
            problem,
            confirm=self.request.confirm,
            names_from_candidate=self.request.inseparable,
        )

    def _check_all_judged(self) -> None:
        if self.owed:
            message = f"verify: the sandbox gave no verdict on {len(self.owed)} completions"
            raise StageFailed(f"{message}, such as {min(self.owed)}; the same command tries again.")


def _settled(
    problems: dict[str, Problem], left_out: dict[str, str]
) -> dict[str, tuple[Status, str]]:
    """Status and detail of all completions of problems that nothing can be run for."""
    found: dict[str, tuple[Status, str]] = {
        name: ("failed", "the problem has no tests")
        for name, problem in problems.items()
        if problem.tests is None
    }
    return found | {name: ("infra_error", f"left out: {why}") for name, why in left_out.items()}


def _inseparable(problems: dict[str, Problem]) -> dict[str, str]:
    from localdistill.sandbox import separable

    found = {name: separable.reason(problem) for name, problem in problems.items()}
    return {name: why for name, why in found.items() if why is not None}
