"""The sandbox under attack: how a program of ours is run in it, and what its verdict tells.

Fails closed: an attack is held only where its program has said so, or was stopped in a way that was
meant for it. Whatever else becomes of it counts as having got through.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localdistill.sandbox import probe
from localdistill.sandbox.attacks.bait import Bait
from localdistill.sandbox.attacks.finding import Finding
from localdistill.sandbox.descent import descendants
from localdistill.sandbox.jobs import Job
from localdistill.sandbox.pit_sandbox import PitSandbox
from localdistill.sandbox.tier_local import OWN_USER
from localdistill.types import CallCase, CallTests, Problem

MEMORY_MB = 256
HELD = "held"  # what a program returns that has achieved nothing
_REPORT = "GotThrough: "
_PROGRAMS = Path(__file__).with_name("programs")
_MOST_PROCESSES = 40  # of the tool, that are reached for


@dataclass(frozen=True)
class Program:
    """One entry point of a file of ``programs``, or of the probe, and what it is given."""

    file: str
    entry_point: str
    arguments: tuple[Any, ...] = ()
    limit_s: float = 20.0
    confirm: bool = False  # run it again in the slot's other warm parent

    def job(self) -> Job:
        """It passes where it returns that it has achieved nothing."""
        path = Path(probe.__file__) if self.file == "probe" else _PROGRAMS / f"{self.file}.py"
        problem = Problem(
            id=f"{self.file}.{self.entry_point}",
            prompt="",
            tests=CallTests(cases=[CallCase(args=list(self.arguments), expected=HELD)]),
            entry_point=self.entry_point,
            time_limit_s=self.limit_s,
            memory_limit_mb=MEMORY_MB,
        )
        return Job((problem.id, 0), path.read_text(encoding="utf-8"), problem, confirm=self.confirm)


class Ring:
    """A sandbox, and what was put out for those who get out of it."""

    def __init__(self, sandbox: PitSandbox, bait: Bait) -> None:
        self.sandbox = sandbox
        self.bait = bait

    @property
    def other_user(self) -> bool:
        """Whether candidates are to have a user id of their own."""
        return OWN_USER not in self.sandbox.not_covered

    def processes(self) -> list[int]:
        """The tool and what it has started: pits and warm parents."""
        return [os.getpid(), *descendants(os.getpid())][:_MOST_PROCESSES]

    def everybody(self) -> list[int]:
        """All processes that can be seen from here."""
        return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]

    def try_out(self, program: Program, pit: int = 0) -> tuple[str, str]:
        """Run a program in one of the pits; returns status and detail."""
        answer = self.sandbox.pits[pit].grade(program.job(), threading.Event())
        return answer["status"], answer["detail"]

    def attack(self, name: str, tried: str, *programs: Program) -> Finding:
        """Run programs one after the other that must all say that they have achieved nothing."""
        found = [breach(*self.try_out(program)) for program in programs]
        return self.finding(name, tried, found)

    def finding(self, name: str, tried: str, found: list[str], *, excuse: str = "") -> Finding:
        """What has become of an attack: ``found`` is what got through, with empty ones for none.

        ``excuse`` is a sentence: the tier does not cover this if it says so itself.
        """
        signs = self.bait.signs()
        through = [each for each in (*found, *signs) if each]
        if not through:
            return Finding(name, tried, "held")
        if excuse in self.sandbox.not_covered and not signs:
            return Finding(name, tried, "not covered", excuse)
        return Finding(name, tried, "GOT THROUGH", "; ".join(through))


def breach(status: str, detail: str, stopped: tuple[str, ...] = ()) -> str:
    """What a program has achieved by its verdict; empty only where it is known that nothing was.

    ``stopped`` are statuses that mean that it was ended as it should be.
    """
    if status == "passed" or status in stopped:
        return ""
    if _REPORT in detail:
        return detail.partition(_REPORT)[2]
    return f"could not be determined ({status}: {detail})"
