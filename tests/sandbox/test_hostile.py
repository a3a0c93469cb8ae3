"""Programs that forge, break out or wear down, one file each: none passes, none does harm."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from programs import Program, programs

from localdistill.sandbox import Job, Sandbox
from localdistill.types import CheckTests, Problem

_HOSTILE = programs("hostile")
_RIGHT = Problem(
    id="right",
    prompt="",
    entry_point="solve",
    tests=CheckTests(code="def check(candidate):\n    assert candidate(3) == 4"),
)


@pytest.mark.parametrize("program", _HOSTILE, ids=lambda program: program.name)
def test_hostile_program_ends_as_its_header_says(program: Program, single: Sandbox) -> None:
    first, second = list(single.run([program.job, dataclasses.replace(program.job, key=("x", 1))]))
    for verdict in (first, second):
        assert verdict.status in program.statuses, verdict


def test_right_programs_beside_hostile_ones_pass(sandbox: Sandbox) -> None:
    wearing = [p.job for p in _HOSTILE if p.name.startswith(("wear_fork", "wear_mem", "wear_loop"))]
    right = [Job((f"right{n}", 0), "def solve(x):\n    return x + 1", _RIGHT) for n in range(40)]
    jobs = [job for n, job in enumerate(right) for job in (job, *wearing[n : n + 1])]
    statuses = {v.problem_id: v.status for v in sandbox.run(jobs)}
    assert [
        n for n, status in statuses.items() if n.startswith("right") and status != "passed"
    ] == []


def test_nothing_is_left_after_hostile_programs(single: Sandbox) -> None:
    before = set(_processes_of_candidates())
    left = [p.job for p in _HOSTILE if p.name.startswith("over_") or p.name == "wear_fork_bomb"]
    assert len(list(single.run(left))) == len(left)
    assert set(_processes_of_candidates()) <= before
    assert not list(Path("/").glob("*planted*"))


def _processes_of_candidates() -> list[str]:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                owner = process.stat().st_uid
            except OSError:
                continue
            if 60000 <= owner < 61184:
                found.append(process.name)
    return found
