"""Programs that forge, break out or wear down, one file each: none passes, none does harm."""

from __future__ import annotations

import dataclasses
import os
import time
from collections import Counter
from pathlib import Path

import pytest
from programs import Program, programs

from localdistill.sandbox import Job, Sandbox
from localdistill.types import CallCase, CallTests, CheckTests, Problem

_HOSTILE = programs("hostile")
_WEARING = [program for program in _HOSTILE if program.name.startswith("wear_")]
_JUDGED = [program for program in _HOSTILE if program.name.startswith("judge_")]
_CLEARED_S = 10.0
_BESIDE = 40  # right programs, of 20 ms each, beside a hostile one
_RIGHT = Problem(
    id="right",
    prompt="",
    entry_point="solve",
    tests=CheckTests(code="def check(candidate):\n    assert candidate(3) == 4"),
)
_RIGHT_CODE = """
import tempfile, threading, time

def solve(x):
    results = []
    with tempfile.TemporaryFile() as file:
        file.write(bytes(100_000))
        thread = threading.Thread(target=lambda: results.append(x + 1))
        thread.start()
        time.sleep(0.02)
        thread.join()
    return results[0]
"""


def test_the_suite_covers_each_class() -> None:
    counts = Counter(program.name.partition("_")[0] for program in _HOSTILE)
    assert set(counts) == {"forge", "judge", "out", "over", "wear"}
    assert min(counts.values()) >= 10
    assert not any("passed" in program.statuses for program in _HOSTILE)


@pytest.mark.parametrize(
    "program",
    [p for p in _HOSTILE if p not in _WEARING + _JUDGED],
    ids=lambda program: program.name,
    indirect=True,
)
def test_hostile_program_ends_as_its_header_says(program: Program, single: Sandbox) -> None:
    _check_twice(program, single)


@pytest.mark.parametrize("program", _JUDGED, ids=lambda program: program.name, indirect=True)
def test_value_made_to_trouble_the_judge_ends_as_its_header_says(
    program: Program, sandbox: Sandbox
) -> None:
    _check_twice(program, sandbox)  # two at a time: some take all of the time for a comparison


def _check_twice(program: Program, sandbox: Sandbox) -> None:
    first, second = list(sandbox.run([program.job, dataclasses.replace(program.job, key=("x", 1))]))
    for verdict in (first, second):
        assert verdict.status in program.statuses, verdict


@pytest.mark.parametrize("program", _WEARING, ids=lambda program: program.name, indirect=True)
def test_right_programs_beside_one_that_wears_down_pass(program: Program, sandbox: Sandbox) -> None:
    right = [Job(("right", n), _RIGHT_CODE, _RIGHT) for n in range(_BESIDE)]
    verdicts = list(sandbox.run([program.job, *right]))
    assert len(verdicts) == 1 + _BESIDE
    for verdict in verdicts:
        wanted = ("passed",) if verdict.problem_id == "right" else program.statuses
        assert verdict.status in wanted, verdict


def test_nothing_is_left_after_hostile_programs(single: Sandbox, packages: frozenset[str]) -> None:
    if single.tier.startswith("1 "):
        pytest.skip("processes of containers beside this one cannot be seen from it")
    user_id = _user_id_of_candidates(single)
    assert user_id != os.getuid()
    there = [p for p in _HOSTILE if p.needs <= packages]
    left = [p.job for p in there if p.name.startswith("over_") or p.name == "wear_fork_bomb"]
    assert len(list(single.run(left))) == len(left)
    # A container clears up after its last candidate when the verdict is out already.
    deadline = time.monotonic() + _CLEARED_S
    while (left_over := _processes_of(user_id)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left_over == []
    assert not list(Path("/").glob("*planted*"))


def _user_id_of_candidates(sandbox: Sandbox) -> int:
    """As one of them tells, where it is what the test did not expect."""
    tests = CallTests(cases=[CallCase(args=[], expected=None)])
    problem = Problem(id="uid", prompt="", entry_point="solve", tests=tests)
    (verdict,) = sandbox.run([Job(("uid", 0), "from os import getuid as solve", problem)])
    return int(verdict.detail.rpartition("got ")[2])


def _processes_of(user_id: int) -> list[str]:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                owner = process.stat().st_uid
            except OSError:
                continue
            if owner == user_id:
                found.append(process.name)
    return found
