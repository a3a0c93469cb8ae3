"""The tier without a container engine: pits on this machine, one for each worker."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

from localdistill.sandbox.jobs import Job
from localdistill.sandbox.link import Link, LinkBroken
from localdistill.types import Verdict

_ATTEMPTS = 3
_SPARE_S = 120.0  # for the pit's own work, before it counts as broken
_STARVED = 0.9  # of its time limit in processor time: whoever got less was kept from working
_VAIN_RETRIES = 10

_Result = tuple[Job, dict[str, Any]]


class LocalSandbox:
    """Grades jobs in pits that ``start_link`` starts. Not for several threads at once."""

    def __init__(
        self,
        start_links: list[Callable[[], Link]],
        tier: str,
        not_covered: tuple[str, ...],
        when_closed: Callable[[], None],
    ) -> None:
        self.tier = tier
        self.not_covered = not_covered
        self._pits = [_Pit(start) for start in start_links]
        self._when_closed = when_closed

    def run(self, jobs: Iterable[Job]) -> Iterator[Verdict]:
        """Grade ``jobs``: exactly one verdict for each, as they finish, in any order.

        A program that ran out of time is tried once more, alone, after all others: the machine may
        have been busy.
        """
        again: list[_Result] = []
        for job, answer in self._side_by_side(iter(jobs)):
            if answer["status"] == "timeout":
                again.append((job, answer))
            else:
                yield _verdict(job, answer)
        yield from self._alone(again)

    def close(self) -> None:
        """End all processes and take away all files of the sandbox."""
        for pit in self._pits:
            pit.close()
        self._when_closed()

    def __enter__(self) -> LocalSandbox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _alone(self, timed_out: list[_Result]) -> Iterator[Verdict]:
        """Try again what ran out of time, the ones first that got the least of the processor.

        Programs that had all the time they wanted are endless loops as a rule. Where ten of those
        in a row run out of time again, with the machine to themselves, it was not busy before
        either, and the rest of them are not tried: each would cost its whole time limit.
        """
        vain = 0
        for job, answer in sorted(timed_out, key=lambda result: result[1]["cpu_s"]):
            starved = answer["cpu_s"] < _STARVED * job.problem.time_limit_s
            if not starved and vain >= _VAIN_RETRIES:
                yield _verdict(job, answer)
                continue
            second = self._pits[0].grade(job)
            vain = 0 if starved or second["status"] != "timeout" else vain + 1
            yield _verdict(job, second)

    def _side_by_side(self, jobs: Iterator[Job]) -> Iterator[_Result]:
        # Bounded, so that jobs are drawn no faster than their verdicts are taken.
        results: queue.Queue[_Result | BaseException | None] = queue.Queue(2 * len(self._pits))
        taking, stop = threading.Lock(), threading.Event()

        def work(pit: _Pit) -> None:
            try:
                while not stop.is_set():
                    with taking:
                        job = next(jobs, None)
                    if job is None:
                        break
                    results.put((job, pit.grade(job)))
            except BaseException as error:
                results.put(error)
            results.put(None)

        threads = [threading.Thread(target=work, args=(pit,), daemon=True) for pit in self._pits]
        for thread in threads:
            thread.start()
        running = len(threads)
        try:
            while running:
                result = results.get()
                if result is None:
                    running -= 1
                elif isinstance(result, BaseException):
                    raise result
                else:
                    yield result
        finally:
            stop.set()
            while running:  # the caller has stopped early, or a job could not be drawn
                running -= results.get() is None


class _Pit:
    """A pit that is started when it is needed, and again when it has broken."""

    def __init__(self, start: Callable[[], Link]) -> None:
        self._start = start
        self._link: Link | None = None

    def grade(self, job: Job) -> dict[str, Any]:
        """Grade one job; an ``infra_error`` where the pit broke time and again."""
        if job.code is None:
            return {"status": "no_code", "detail": "the completion holds no code"}
        task = _task(job)
        reason = ""
        for _ in range(_ATTEMPTS):
            try:
                if self._link is None:
                    self._link = self._start()
                return self._link.ask(task, _SPARE_S + _longest_s(task))
            except LinkBroken as error:
                reason = str(error)
                self.close(at_once=True)
        return {"status": "infra_error", "detail": f"the sandbox broke: {reason}"[:300]}

    def close(self, *, at_once: bool = False) -> None:
        if self._link is not None:
            if at_once:
                self._link.kill()
            self._link.close()
            self._link = None


def _task(job: Job) -> dict[str, Any]:
    problem = job.problem
    return {
        "code": job.code,
        "tests": problem.tests.model_dump() if problem.tests is not None else None,
        "entry_point": problem.entry_point,
        "time_limit_s": problem.time_limit_s,
        "memory_bytes": problem.memory_limit_mb << 20,
    }


def _longest_s(task: dict[str, Any]) -> float:
    cases = len((task["tests"] or {}).get("cases", ()))
    return float(task["time_limit_s"]) * (20 + cases)


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
