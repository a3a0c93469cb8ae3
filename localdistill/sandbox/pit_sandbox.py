"""A sandbox of several pits, one for each worker, wherever their slots are."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from types import TracebackType
from typing import Any

from localdistill.sandbox.jobs import Behaviour, Job
from localdistill.sandbox.link import Link
from localdistill.sandbox.pits import Pit, Result, grade_side_by_side
from localdistill.sandbox.task import OBSERVED
from localdistill.types import Verdict

_STARVED = 0.9  # of its time limit in processor time: whoever got less was kept from working
_VAIN_RETRIES = 10


class PitSandbox:
    """Grades jobs in pits. Not for several threads at once.

    Args:
        starts: one for each worker: starts its pit, and raises LinkBroken if that does not hold.
            The first is called here.
        tier: which tier this is.
        not_covered: what it does not cover, one sentence each.
        unsafe: whether nothing holds, and the user wants to go on all the same.
    """

    def __init__(
        self,
        starts: list[Callable[[], Link]],
        tier: str,
        not_covered: tuple[str, ...],
        *,
        unsafe: bool = False,
    ) -> None:
        self.tier = tier
        self.not_covered = not_covered
        self.passed_over: tuple[str, ...] = ()
        self.unsafe = unsafe
        self.notes: tuple[str, ...] = ()
        self._pits = [Pit(start) for start in starts]
        self._kept = contextlib.ExitStack()
        self._pits[0].open()

    def keep(self, resources: contextlib.ExitStack) -> None:
        """Close ``resources`` with the sandbox, after its pits."""
        self._kept = resources

    @property
    def pits(self) -> list[Pit]:
        """One for each worker."""
        return self._pits

    def run(
        self, jobs: Iterable[Job], put_off: Callable[[Job], None] | None = None
    ) -> Generator[Verdict, None, None]:
        """Grade ``jobs``: exactly one verdict for each, as they finish, in any order.

        A program that ran out of time is tried once more, alone, after all others: the machine may
        have been busy. ``put_off`` is told of each at once.
        """
        for job, answer in self._answers(jobs, put_off):
            yield _verdict(job, answer)

    def observe(self, jobs: Iterable[Job]) -> Generator[Behaviour, None, None]:
        """Call candidates as each job's ``calls`` say; see ``jobs.Sandbox``."""
        for job, answer in self._answers(jobs):
            ended = answer["status"] == OBSERVED
            results = tuple(answer["results"]) if ended else None
            yield Behaviour(job.key, results, answer["status"])

    def _answers(
        self, jobs: Iterable[Job], put_off: Callable[[Job], None] | None = None
    ) -> Iterator[Result]:
        again: list[Result] = []
        for job, answer in grade_side_by_side(self._pits, iter(jobs)):
            if answer["status"] == "timeout":
                again.append((job, answer))
                if put_off is not None:
                    put_off(job)
            else:
                yield job, answer
        yield from self._alone(again)

    def close(self) -> None:
        """End all processes and take away all files of the sandbox."""
        for pit in self._pits:
            pit.close()
        self._kept.close()

    def __enter__(self) -> PitSandbox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _alone(self, timed_out: list[Result]) -> Iterator[Result]:
        """Try again what ran out of time, the ones first that got the least of the processor.

        Programs that had all the time they wanted are endless loops as a rule. Where ten of those
        in a row run out of time again, with the machine to themselves, it was not busy before
        either, and the rest of them are not tried: each would cost its whole time limit.
        """
        vain = 0
        for job, answer in sorted(timed_out, key=lambda result: result[1]["cpu_s"]):
            starved = answer["cpu_s"] < _STARVED * job.problem.time_limit_s
            if not starved and vain >= _VAIN_RETRIES:
                yield job, answer
                continue
            second = self._pits[0].grade(job, threading.Event())
            vain = 0 if starved or second["status"] != "timeout" else vain + 1
            yield job, second


def _verdict(job: Job, answer: dict[str, Any]) -> Verdict:
    return Verdict(
        problem_id=job.key[0],
        sample=job.key[1],
        status=answer["status"],
        detail=_printable(answer["detail"]),
        duration_s=round(answer.get("busy_s", 0.0), 6),
    )


def _printable(text: str) -> str:
    """One line without control characters: what a candidate raised is shown on a terminal."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))


def default_workers() -> int:
    """One for each processor that this process may use."""
    return len(os.sched_getaffinity(0))
