"""The same guarantees without namespaces (as in Docker) and without root, and after a kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import pytest
from pythons import NOBODY, environment, python_for

from localdistill.errors import SandboxUnavailable
from localdistill.sandbox import landlock, open_sandbox, proof, tier_local

# Opens one sandbox, runs all programs of both folders, prints what did not end as it should.
_ALL_PROGRAMS = """
import json, os, sys
from localdistill.sandbox import tier_local
from tests.sandbox.offered import offered_packages
from programs import programs
way = (tier_local.WAYS_OF_USER if os.geteuid() else tier_local.WAYS_OF_ROOT)[-1]
names = {program.name: program for folder in ("unusual", "hostile") for program in programs(folder)}
tier_local.interpreter = lambda: sys.executable
with tier_local.open_way(way, 2) as sandbox:
    offered = offered_packages(sandbox)
    verdicts = list(sandbox.run(p.job for p in names.values() if p.needs <= offered))
wrong = [str(v) for v in verdicts if v.status not in names[v.problem_id].statuses]
print(json.dumps([sandbox.tier, sorted(offered), len(verdicts), wrong]))
"""
# Opens one sandbox and runs a program that leaves a daemon, and waits.
_WAITING = """
import sys
from localdistill.sandbox import Job, tier_local
from localdistill.types import CheckTests, Problem
tier_local.interpreter = lambda: sys.executable
tests = CheckTests(code="def check(candidate): assert candidate() is None")
problem = Problem(id="p", prompt="", tests=tests, entry_point="solve", time_limit_s=60)
code = '''
import os, time
def solve():
    if os.fork() == 0:
        os.setsid()
    time.sleep(60)
'''
with tier_local.open_way(tier_local.WAYS_OF_ROOT[int(sys.argv[1])], 1) as sandbox:
    print("open", flush=True)
    list(sandbox.run([Job(("p", 0), code, problem)]))
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@needs_root
@pytest.mark.real
@pytest.mark.parametrize("user", [0, NOBODY], ids=["no namespaces", "no root"])
def test_all_programs_end_as_their_headers_say(user: int) -> None:
    command = [*python_for(user), "-c", _ALL_PROGRAMS]
    done = subprocess.run(
        command,
        env=environment(),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    tier, offered, count, wrong = json.loads(done.stdout)
    assert ("no namespaces" if user == 0 else "user namespace") in tier
    if not offered:  # it lies where other users may not enter
        warnings.warn(
            "numpy cannot be reached in this mode: its programs were NOT run", stacklevel=1
        )
    assert count > (270 if offered else 220)
    assert wrong == []


@needs_root
@pytest.mark.real
@pytest.mark.parametrize("way", ["0", "1"], ids=["namespaces", "no namespaces"])
def test_nothing_outlives_a_run_that_is_killed(way: str, request: pytest.FixtureRequest) -> None:
    command = [*python_for(0), "-c", _WAITING, way]
    # What such a run leaves is two empty folders for each worker: put where they go with the test.
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o711)
    request.addfinalizer(lambda: shutil.rmtree(folder))
    surroundings = {**environment(), "TMPDIR": str(folder)}
    run = subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert run.stdout.readline() == "open\n"
    before = _wait_for(lambda: len(_processes_below(run.pid)) >= 5, run)
    assert before
    tree = _processes_below(run.pid)
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()
    assert _wait_for(lambda: not any(map(_alive, tree)), None), [p for p in tree if _alive(p)]


@pytest.mark.real
def test_refuses_where_nothing_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tier_local, "WAYS_OF_ROOT", tier_local.WAYS_OF_ROOT[1:])
    monkeypatch.setattr(tier_local, "WAYS_OF_USER", ())
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    with pytest.raises(SandboxUnavailable, match="Docker") as refusal:
        open_sandbox("local")
    assert "\n" not in str(refusal.value)


@pytest.mark.real
def test_refuses_where_the_probe_gets_through(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    probe = tmp_path / "probe.py"
    probe.write_text("def breaches(*given):\n    return ['reads everything']\n")
    monkeypatch.setattr(proof, "PROBE", probe)
    with pytest.raises(SandboxUnavailable, match="reads everything"):
        open_sandbox("local")


def _processes_below(pid: int) -> list[int]:
    parents = {}
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                fields = (process / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(process.name)] = int(fields[1])
    found, ring = [], [pid]
    while ring:
        ring = [child for child, parent in parents.items() if parent in ring]
        found += ring
    return found


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _wait_for(condition, run) -> bool:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False
