"""What the sandbox is asked, and the interface by which: one verdict for each job."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

from localdistill.types import Problem, Verdict


@dataclass(frozen=True)
class Job:
    """One candidate program: ``code`` is None where a completion holds none."""

    key: tuple[str, int]  # problem id, sample
    code: str | None
    problem: Problem
    # A pass is run again with another hash seed: one that changes is ``nondeterministic``.
    confirm: bool = False
    # Tests may use names other than the entry point from the candidate, which could then forge
    # what they compute: see ``separable``.
    names_from_candidate: bool = False
    # Of ``Sandbox.observe``: the arguments of the calls of the entry point that are made.
    calls: tuple[tuple[Any, ...], ...] = ()


@dataclass(frozen=True)
class Behaviour:
    """What a candidate did when it was called.

    ``results`` has one digest for each call: of the value that it returned, or of the kind of
    exception that it raised. It is None where the candidate did not come to the end of its calls;
    ``status`` then is that of a verdict.
    """

    key: tuple[str, int]
    results: tuple[str, ...] | None
    status: str = ""


class Sandbox(Protocol):
    """Runs candidate programs where they can do no harm and cannot lie about their result."""

    tier: str
    not_covered: tuple[str, ...]  # what this tier does not cover, one sentence each, for a person
    passed_over: tuple[str, ...]  # what was tried before it and is not there, and why
    unsafe: bool  # nothing holds, and the user wants to go on all the same

    def run(
        self, jobs: Iterable[Job], put_off: Callable[[Job], None] | None = None
    ) -> Generator[Verdict, None, None]:
        """Grade ``jobs``: exactly one verdict for each, as they finish, in any order.

        Jobs are drawn in other threads, and drawing one may wait: verdicts come all the same.
        ``put_off`` is told of a job whose verdict waits until all others are there.
        """

    def observe(self, jobs: Iterable[Job]) -> Generator[Behaviour, None, None]:
        """Call candidates as each job's ``calls`` say; tests are not looked at.

        What is told is a candidate's own claim, of which nothing is believed but that it is equal
        to another's or not. One for each job, as they finish, in any order.
        """

    def close(self) -> None:
        """End all processes and take away all files of the sandbox."""

    def __enter__(self) -> Sandbox:
        """Return the sandbox itself."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the sandbox."""
