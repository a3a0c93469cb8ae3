"""The kind ``unsafe``: no sandbox, but nothing is left behind, and your own processes do not count.

Run as another user where the tests run as root: the kernel does not bound root's processes.
"""

from __future__ import annotations

import json
import subprocess

import pytest
from pythons import NOBODY, environment, python_for
from test_modes import needs_root

# Runs programs that leave processes behind, with many processes of the same user beside.
_PROGRAM = """
import json, os, subprocess, sys
from localdistill.sandbox import Job, open_sandbox, tier_local
from localdistill.types import CheckTests, Problem
from test_modes import _processes_below
tier_local.interpreter = lambda: sys.executable
tests = CheckTests(code="def check(candidate): assert candidate(3) == 4")
problem = Problem(id="p", prompt="", tests=tests, entry_point="solve", memory_limit_mb=256)
codes = ['''
import os, signal, time
def solve(x):
    for _ in range(5):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                time.sleep(90)
            os._exit(0)
    return x + 1
''', '''
import os, time
def solve(x):
    for _ in range(200):
        if os.fork() == 0:
            time.sleep(90)
    time.sleep(2)  # root's processes are counted now and then, and it must not be over before
    return x + 1
''', '''
def solve(x):
    return x + 1
''']
beside = [subprocess.Popen(["sleep", "90"]) for _ in range(80)]
try:
    with open_sandbox("unsafe", 1) as sandbox:
        idle = set(_processes_below(os.getpid()))
        jobs = [Job((str(n), 0), code, problem) for n, code in enumerate(codes)]
        found = {verdict.problem_id: verdict.status for verdict in sandbox.run(jobs)}
        left = set(_processes_below(os.getpid())) - idle
finally:
    for process in beside:
        process.kill()
        process.wait()
after = _processes_below(os.getpid())
print(json.dumps([found, len(left), len(after), sandbox.unsafe]))
"""


@needs_root
@pytest.mark.real
@pytest.mark.parametrize("user", [0, NOBODY], ids=["root", "no root"])
def test_nothing_is_left_and_own_processes_do_not_count(user: int) -> None:
    done = subprocess.run(
        [*python_for(user), "-c", _PROGRAM],
        env=environment(),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=80,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found, left, after, unsafe = json.loads(done.stdout)
    # Five daemons are no crime, however many processes the user has; two hundred are.
    assert (found["0"], found["2"]) == ("passed", "passed"), found
    # So many are too many open files together as well, which may be seen first.
    assert found["1"] in ("runtime_error", "memory_exceeded", "output_exceeded")
    # A judge may have been started meanwhile: one process, and it is the sandbox's own.
    assert left <= 1
    assert after == 0
    assert unsafe
