"""Claim: after thousands of candidates, hostile ones among them, nothing is left or slower.

    python benchmarks/sandbox_soak.py                # 5,000 candidates, a tenth of them hostile

Right programs and those of tests/sandbox/hostile run in one sandbox. Before and after, throughput
is taken on right programs alone. Prints one line of JSON: what is left (processes of candidates,
shared memory, temporary folders, mounts), by how many MB the sandbox's own processes grew, and
throughput at the end in units of that at the start.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from localdistill.sandbox import Job, Sandbox, open_sandbox
from localdistill.types import CheckTests, Problem

REPOSITORY = Path(__file__).parents[1]
TIMED, TIMES = 300, 3  # right programs in one measurement, measurements of which the best counts
WHILE_S = 10.0
CANDIDATE_UIDS = range(60000, 61184)
# Those that use up a time limit would make this a test of waiting.
LEFT_OUT = ("wear_", "judge_")
AND_YET = ("wear_memory", "wear_fork_bomb", "wear_stop", "wear_inodes", "wear_shared_memory")

PROBLEM = Problem(
    id="right",
    prompt="",
    entry_point="solve",
    tests=CheckTests(code="def check(candidate):\n    assert candidate(3) == 4"),
)
RIGHT = "def solve(x):\n    return x + 1"


def main() -> None:
    """Soak and print."""
    args = _arguments()
    sys.path.insert(0, str(REPOSITORY / "tests" / "sandbox"))
    from programs import programs

    hostile = [
        program.job
        for program in programs("hostile")
        if program.name in AND_YET or not program.name.startswith(LEFT_OUT)
    ]
    files_before, mounts_before = _files(), _mounts()
    with open_sandbox(args.sandbox, args.workers) as sandbox:
        _timed(sandbox)  # starts what starts on demand
        memory_before, first = _memory(), _timed(sandbox)
        started = time.perf_counter()
        wrong = [
            str(verdict)
            for verdict in sandbox.run(_mixed(args.candidates, hostile))
            if verdict.passed != (verdict.problem_id == "right")
        ]
        seconds = time.perf_counter() - started
        last, memory_after = _timed(sandbox), _memory()
        tier = sandbox.tier
    # Beside the tool all have ended when ``close`` returns; a container's are ended by its keeper.
    orphans = _orphans() if tier.startswith("3 ") else _lasting(_orphans, set())
    files = _lasting(_files, files_before)
    result = {
        "candidates": args.candidates,
        "wrong": wrong,
        "left": {
            "processes": sorted(map(_described, orphans)),
            "files": sorted(files),
            "mounts": sorted(_mounts() - mounts_before),
        },
        "grew_mb": round(_growth(memory_before, memory_after) / 1e6, 1),
        "throughput_at_end": round(first / last, 2),
        "per_second": round(args.candidates / seconds, 1),
        "tier": tier,
    }
    print(json.dumps(result))


def _mixed(count: int, hostile: list[Job]) -> Iterator[Job]:
    """Every tenth one hostile, each of those in its turn."""
    others = itertools.cycle(hostile)
    for number in range(count):
        if number % 10 == 9:
            job = next(others)
            yield Job((job.key[0], number), job.code, job.problem)
        else:
            yield Job(("right", number), RIGHT, PROBLEM)


def _timed(sandbox: Sandbox) -> float:
    best = float("inf")
    for _ in range(TIMES):
        started = time.perf_counter()
        verdicts = list(sandbox.run(Job(("right", n), RIGHT, PROBLEM) for n in range(TIMED)))
        assert all(verdict.passed for verdict in verdicts), verdicts
        best = min(best, time.perf_counter() - started)
    return best


def _processes() -> Iterator[Path]:
    return (each for each in Path("/proc").iterdir() if each.name.isdigit())


def _orphans() -> set[int]:
    """Processes of candidates above which there is no sandbox (another one may be at work)."""
    parents, candidates, sandboxes = {}, [], set()
    for process in _processes():
        try:
            number = int(process.name)
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            parents[number] = int(fields[1])
            if process.stat().st_uid in CANDIDATE_UIDS:
                candidates.append(number)
            elif b"sandbox/boot.py" in (process / "cmdline").read_bytes():
                sandboxes.add(number)
        except OSError:
            continue

    def below_a_sandbox(number: int) -> bool:
        while number in parents:
            number = parents[number]
            if number in sandboxes:
                return True
        return False

    return {number for number in candidates if not below_a_sandbox(number)}


def _described(process: int) -> str:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return str(process)
    return ", ".join(line for line in lines if line.startswith(("Pid", "PPid", "Uid", "State")))


def _memory() -> dict[str, int]:
    """Resident bytes of each of the sandbox's own processes: pits and warm parents."""
    found = {}
    for process in _processes():
        try:
            if b"sandbox/boot.py" in (process / "cmdline").read_bytes():
                pages = int((process / "statm").read_text().split()[1])
                found[process.name] = pages * 4096
        except OSError:
            continue
    return found


def _growth(before: dict[str, int], after: dict[str, int]) -> int:
    """Of those that were there all the time: another sandbox may have come or gone."""
    return sum(after[name] - before[name] for name in before.keys() & after.keys())


def _files() -> set[str]:
    shared = [each for each in Path("/dev/shm").iterdir() if _owner(each) in CANDIDATE_UIDS]
    return {str(each) for each in (*shared, *Path(tempfile.gettempdir()).glob("localdistill-*"))}


def _owner(path: Path) -> int:
    try:
        return path.stat().st_uid
    except FileNotFoundError:  # gone since it was listed
        return -1


def _lasting(look: Callable[[], set[Any]], before: set[Any]) -> set[Any]:
    """What has come since and is still there after a while.

    Another sandbox may just be opening or closing, and a container's processes end after it.
    """
    found = look() - before
    until = time.monotonic() + WHILE_S
    while found and time.monotonic() < until:
        time.sleep(0.1)
        found &= look()
    return found


def _mounts() -> set[str]:
    """Where something of a sandbox is mounted: in its own namespaces only, if all is well."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = {line.split()[4] for line in lines}
    return {point for point in points if "localdistill" in point or point.endswith("/box")}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--candidates", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sandbox", default="auto")
    return parser.parse_args()


if __name__ == "__main__":
    main()
