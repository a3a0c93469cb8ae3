"""Where memory runs out, a candidate is ended, and neither its warm parent nor the tool."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from test_modes import _processes_below

from localdistill.sandbox import Job, Sandbox
from localdistill.types import CheckTests, Problem

_CODE = """
import os, time
def solve(x):
    if os.fork() == 0:
        time.sleep(60)
    time.sleep(2)
    return x + 1
"""
_TESTS = CheckTests(code="def check(candidate):\n    assert candidate(3) == 4")


def _score(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/oom_score_adj").read_text())
    except OSError:  # it has ended
        return 0


@pytest.mark.real
def test_candidates_go_first_and_nobody_else(single: Sandbox) -> None:
    if not single.tier.startswith("3 "):
        pytest.skip("processes of other containers cannot be seen from here: NOT tested")
    before = set(_processes_below(os.getpid()))
    assert before
    problem = Problem(id="p", prompt="", tests=_TESTS, entry_point="solve")
    verdicts: list[str] = []
    run = threading.Thread(
        target=lambda: verdicts.extend(
            v.status for v in single.run([Job(("p", 0), _CODE, problem)])
        )
    )
    run.start()
    marked: set[int] = set()
    while run.is_alive():
        marked |= {each for each in _processes_below(os.getpid()) if _score(each) == 1000}
        time.sleep(0.1)
    run.join()
    assert verdicts == ["passed"]
    assert len(marked) >= 2  # what a candidate has started, too
    assert not marked & before  # the pit, and warm parents that were there
    assert _score(os.getpid()) != 1000
