"""How *select* has candidates run for a strategy that must see what they do: in the sandbox."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from localdistill.events import Callback, Notice
from localdistill.selection.programs import Key, Observed, Program

if TYPE_CHECKING:
    from localdistill.sandbox import Job, Sandbox


class InSandbox:
    """A ``RunPrograms`` that opens its sandbox when there is a first program.

    Raises, when it is called:
        SandboxUnavailable: no tier holds on this machine.
    """

    def __init__(self, kind: str, workers: int | None, callback: Callback) -> None:
        self._kind = kind
        self._workers = workers
        self._callback = callback

    def __call__(self, programs: Iterable[Program]) -> Iterator[Observed]:
        """Run ``programs``; one answer for each, in any order."""
        from localdistill.sandbox import open_sandbox

        waiting = list(programs)
        if not waiting:
            return
        with contextlib.closing(open_sandbox(self._kind, self._workers)) as sandbox:
            message = " ".join([f"Sandbox tier {sandbox.tier}.", *sandbox.not_covered])
            notice = Notice(level="warning" if sandbox.unsafe else "info", message=message)
            self._callback(notice)
            yield from _observed(sandbox, waiting)


def _observed(sandbox: Sandbox, programs: list[Program]) -> Iterator[Observed]:
    keys: set[Key] = {program.key for program in programs}
    for behaviour in sandbox.observe(map(_job, programs)):
        if behaviour.key in keys:  # each once
            keys.remove(behaviour.key)
            failed = behaviour.status == "infra_error"
            yield Observed(behaviour.key, behaviour.results, failed)


def _job(program: Program) -> Job:
    from localdistill.sandbox import Job

    return Job(program.key, program.code, program.problem, calls=program.calls)
