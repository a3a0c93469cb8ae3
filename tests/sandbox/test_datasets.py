"""The grader against the reference solutions of real problem sets, before hours are spent on it.

LOCALDISTILL_DATA names a folder with HumanEval.jsonl.gz and mbpp.jsonl.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localdistill.problems import load
from localdistill.sandbox import Job, Sandbox, separable

_DATA = os.environ.get("LOCALDISTILL_DATA")
_FORGED = """
class Anything:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    def __gt__(self, other): return True
    def __sub__(self, other): return 0
    def __abs__(self): return 0
    def __bool__(self): return True
    def __len__(self): return 0
def {name}(*given, **named):
    return Anything()
"""

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        _DATA is None, reason="LOCALDISTILL_DATA is not set: the grader is NOT checked on real sets"
    ),
]


# Their tests need a class that the candidate defines, which could then lie: see separable.py.
_INSEPARABLE = {"HumanEval.jsonl.gz": set(), "mbpp.jsonl": {"367", "601", "927"}}


@pytest.mark.parametrize(("file", "count"), [("HumanEval.jsonl.gz", 164), ("mbpp.jsonl", 974)])
def test_all_reference_solutions_pass_and_no_forged_one(
    sandbox: Sandbox, file: str, count: int
) -> None:
    problems = load(str(Path(_DATA or "", file))).problems
    assert len(problems) == count
    assert {p.id for p in problems if separable.reason(p)} == _INSEPARABLE[file]
    # MBPP/123 takes 2.5 s of processor time by itself, which a busy machine stretches far past 5 s.
    patient = [problem.model_copy(update={"time_limit_s": 120.0}) for problem in problems]
    jobs = [
        Job((p.id, 0), p.reference, p, confirm=True, names_from_candidate=True) for p in patient
    ]
    assert [str(verdict) for verdict in sandbox.run(jobs) if not verdict.passed] == []
    forged = sandbox.run(Job((p.id, 0), _FORGED.format(name=p.entry_point), p) for p in patient)
    assert [verdict.problem_id for verdict in forged if verdict.passed] == []
