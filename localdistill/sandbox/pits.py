"""Several pits at work side by side, one thread of the run's process for each."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

from localdistill.sandbox.jobs import Job
from localdistill.sandbox.link import Link, LinkBroken
from localdistill.sandbox.task import MAX_MEMORY_BYTES, MAX_TIME_S, OBSERVE

_ATTEMPTS = 3
_RECYCLED_AFTER = 10_000  # tasks: whatever adds up in a pit or its containers ends with them
_SPARE_S = 120.0  # for the pit's own work, before it counts as broken

Answer = dict[str, Any]  # a grade's fields
Result = tuple[Job, Answer]
_Results = queue.Queue[Result | BaseException | None]


def grade_side_by_side(pits: list[Pit], jobs: Iterator[Job]) -> Iterator[Result]:
    """Grade ``jobs`` as they are drawn, and yield the answers as they come.

    Jobs are drawn no faster than answers are taken. An error in drawing one is raised here.
    """
    results: _Results = queue.Queue(2 * len(pits))
    taking, stop = threading.Lock(), threading.Event()

    def draw() -> Job | None:
        with taking:
            return None if stop.is_set() else next(jobs, None)

    threads = [
        threading.Thread(target=_work, args=(pit, draw, results, stop), daemon=True) for pit in pits
    ]
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
        if running:  # the caller has stopped early, or a job could not be drawn
            for pit in pits:
                pit.abort()
        while running:
            running -= results.get() is None


def _work(
    pit: Pit, draw: Callable[[], Job | None], results: _Results, stop: threading.Event
) -> None:
    try:
        while (job := draw()) is not None:
            results.put((job, pit.grade(job, stop)))
    except BaseException as error:
        results.put(error)
    results.put(None)


class Pit:
    """A pit that is started when it is needed, and again when it has broken or done enough."""

    def __init__(self, start: Callable[[], Link]) -> None:
        self._start = start
        self._link: Link | None = None
        self._uses = 0
        self._starting = threading.Lock()

    def grade(self, job: Job, stop: threading.Event) -> Answer:
        """Grade one job; ``infra_error`` if the pit breaks time and again, or ``stop`` is set."""
        if job.code is None:
            return {"status": "no_code", "detail": "the completion holds no code"}
        return self.ask(_task(job), stop)

    def ask(self, task: dict[str, Any], stop: threading.Event) -> Answer:
        """Have one task graded; see ``task.Task`` for its fields."""
        if self._uses >= _RECYCLED_AFTER:
            self.close()
        reason = ""
        late: Answer | None = None  # given while this machine stood still
        for _ in range(_ATTEMPTS):
            try:
                with self._starting:
                    if stop.is_set():
                        break
                    self.open()
                    link = self._link
                assert link is not None  # noqa: S101
                self._uses += 1
                answer = link.ask(task, _SPARE_S + _longest_s(task))
                if answer.get("status") == "passed" or not link.stood_still_s:
                    return answer
                # Its time, or its tests', may have gone by while nothing could run: once more.
                late = answer
            except LinkBroken as error:
                reason = str(error)
                self.close(at_once=True)
        broken = {"status": "infra_error", "detail": f"the sandbox broke: {reason}"[:300]}
        return broken if late is None else late

    def open(self) -> None:
        """Start it, if it is not there.

        Raises:
            LinkBroken: it did not start, or did not hold.
        """
        if self._link is None:
            self._link, self._uses = self._start(), 0

    def abort(self) -> None:
        """End the job that another thread is grading, after ``stop`` was set."""
        with self._starting:
            link = self._link  # which the other thread may be giving up just now
            if link is not None:
                link.kill()

    def close(self, *, at_once: bool = False) -> None:
        """End the pit; ``at_once`` in the middle of a job."""
        if self._link is not None:
            if at_once:
                self._link.kill()
            self._link.close()
            self._link = None


def _task(job: Job) -> dict[str, Any]:
    problem = job.problem
    tests = problem.tests.model_dump() if problem.tests is not None else None
    if job.calls:
        tests = {"kind": OBSERVE, "cases": [{"args": list(args)} for args in job.calls]}
    return {
        "code": job.code,
        "tests": tests,
        "entry_point": problem.entry_point,
        "time_limit_s": min(problem.time_limit_s, MAX_TIME_S),
        "memory_bytes": min(problem.memory_limit_mb << 20, MAX_MEMORY_BYTES),
        "confirm": job.confirm,
        "names_from_candidate": job.names_from_candidate,
    }


def _longest_s(task: dict[str, Any]) -> float:
    cases = len((task["tests"] or {}).get("cases", ()))
    return float(task["time_limit_s"]) * (20 + cases)
