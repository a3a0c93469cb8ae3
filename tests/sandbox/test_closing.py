"""A sandbox that is closed has ended: nothing of it is there any more when ``close`` returns."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from test_modes import _processes_below, _wait_for

from localdistill.sandbox import Job, tier_local
from localdistill.sandbox.pit_sandbox import PitSandbox
from localdistill.types import CheckTests, Problem

_WAYS = tier_local.WAYS_OF_ROOT if os.geteuid() == 0 else tier_local.WAYS_OF_USER
# Plain tests share a process with the next ones: it is there as long as its pit is.
_TESTS = CheckTests(code="def check(candidate):\n    assert candidate(3) == 4")
_PROBLEM = Problem(id="p", prompt="", tests=_TESTS, entry_point="solve", time_limit_s=60.0)
_RIGHT = Job(("right", 0), "def solve(x):\n    return x + 1", _PROBLEM)
_CHILDREN = 20
_PF_EXITING = 0x4  # of the kernel's flags of a process
_AT_WORK = f"""
import os, signal, time
def solve(x):
    for _ in range({_CHILDREN}):
        if os.fork() == 0:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(60)
    time.sleep(60)
"""


def _opened(way: tier_local.Way, workers: int, monkeypatch: pytest.MonkeyPatch) -> PitSandbox:
    # Without namespaces candidates need a Python that other users can reach.
    python = shutil.which(f"python3.{sys.version_info[1]}", path="/usr/bin")
    if way.user_ids and not way.namespaces and python is not None:
        monkeypatch.setattr(tier_local, "interpreter", lambda: python)
    try:
        return tier_local.open_way(way, workers)
    except tier_local.SandboxUnavailable as error:
        pytest.skip(f"this way is NOT tested here: {error}")


def _runs(process: int) -> bool:
    """Whether a process has not ended, nor is on its way out, where it runs nothing any more."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] != "Z" and not int(fields[6]) & _PF_EXITING


@pytest.mark.real
@pytest.mark.parametrize("way", [*_WAYS, tier_local.UNSAFE], ids=lambda way: way.tier[3:-1])
class TestClosing:
    def test_all_have_ended_when_it_returns(
        self, way: tier_local.Way, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = set(_processes_below(os.getpid()))
        with _opened(way, 1, monkeypatch) as sandbox:
            verdicts = [verdict.status for verdict in sandbox.run([_RIGHT])]
            started = set(_processes_below(os.getpid())) - before
        assert verdicts == ["passed"]
        assert len(started) >= 4  # a pit, warm parents of candidates and of tests, the tests
        assert not list(filter(_runs, started))

    def test_so_have_they_when_it_stops_in_the_middle(
        self, way: tier_local.Way, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = set(_processes_below(os.getpid()))
        with _opened(way, 2, monkeypatch) as sandbox:
            idle = set(_processes_below(os.getpid()))
            run = sandbox.run([Job(("at work", 0), _AT_WORK, _PROBLEM), _RIGHT])
            assert next(run).passed
            assert _wait_for(
                lambda: len(set(_processes_below(os.getpid())) - idle) >= _CHILDREN, None
            )
            at_work = set(_processes_below(os.getpid())) - before
            run.close()
        assert not list(filter(_runs, at_work))
