"""Attacks that take more of the machine than they may, with right programs beside each."""

from __future__ import annotations

from localdistill.sandbox.attacks.finding import Finding
from localdistill.sandbox.attacks.ring import MEMORY_MB, Program, Ring, breach
from localdistill.sandbox.confine import PROCESSES
from localdistill.sandbox.jobs import Job
from localdistill.sandbox.place import BOX_BYTES, BOX_FILES, SHARED_MEMORY
from localdistill.types import CheckTests, Problem

_STOPPED = ("memory_exceeded", "output_exceeded")
_BESIDE = 20  # right programs, of 20 ms each
_RIGHT = Problem(
    id="right",
    prompt="",
    entry_point="solve",
    tests=CheckTests(code="def check(candidate):\n    assert candidate(3) == 4"),
    time_limit_s=10.0,
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
_FILL_MIB = 4 * (BOX_BYTES >> 20)
_FILES = 4 * BOX_FILES
_MEMORY_MIB = 4 * MEMORY_MB
_SPREAD = 16  # processes


def fork_bomb(ring: Ring) -> Finding:
    """More processes than allowed."""
    most = 6 * PROCESSES
    return _wear(
        ring,
        "fork bomb",
        f"{most} processes",
        Program("wear", "processes", (most, PROCESSES)),
    )


def memory_bomb(ring: Ring) -> Finding:
    """More memory than allowed, in one process."""
    return _wear(
        ring,
        "memory bomb",
        f"{_MEMORY_MIB} MiB in one process, of {MEMORY_MB} allowed",
        Program("wear", "memory", (_MEMORY_MIB,)),
    )


def memory_spread(ring: Ring) -> Finding:
    """More memory than allowed, in processes that each have little."""
    each = _MEMORY_MIB // _SPREAD
    return _wear(
        ring,
        "memory bomb, spread",
        f"{_MEMORY_MIB} MiB in {_SPREAD} processes, of {MEMORY_MB} allowed for all",
        Program("wear", "spread", (_SPREAD, each)),
    )


def disk_bytes(ring: Ring) -> Finding:
    """More bytes in files than allowed."""
    return _wear(
        ring,
        "disk fill, bytes",
        f"{_FILL_MIB} MiB in its box, in {SHARED_MEMORY}, and in files without a name",
        *(
            Program("wear", how, (folder, _FILL_MIB))
            for how in ("fill", "nameless")
            for folder in (".", SHARED_MEMORY)
        ),
    )


def disk_inodes(ring: Ring) -> Finding:
    """More files than allowed."""
    return _wear(
        ring,
        "disk fill, inodes",
        f"{_FILES} empty files in its box and in {SHARED_MEMORY}",
        *(Program("wear", "inodes", (folder, _FILES)) for folder in (".", SHARED_MEMORY)),
    )


ATTACKS = (fork_bomb, memory_bomb, memory_spread, disk_bytes, disk_inodes)


def _wear(ring: Ring, name: str, tried: str, *programs: Program) -> Finding:
    found = []
    for program in programs:
        right = [Job((_RIGHT.id, number), _RIGHT_CODE, _RIGHT) for number in range(_BESIDE)]
        verdicts = list(ring.sandbox.run([program.job(), *right]))
        found += [
            f"a right program beside it: {verdict.status} ({verdict.detail})"
            for verdict in verdicts
            if verdict.problem_id == _RIGHT.id and verdict.status != "passed"
        ][:1]
        own = [each for each in verdicts if each.problem_id != _RIGHT.id]
        found += [breach(each.status, each.detail, _STOPPED) for each in own]
        if len(own) != 1 or len(verdicts) != 1 + _BESIDE:
            found.append(f"could not be determined ({len(verdicts)} verdicts)")
    return ring.finding(name, f"{tried}; {_BESIDE} right programs beside", found)
