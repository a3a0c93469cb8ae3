"""Which installed packages a sandbox offers to candidates: found out by having one try."""

from __future__ import annotations

from localdistill.sandbox.importable import PACKAGES
from localdistill.sandbox.jobs import Job, Sandbox
from localdistill.types import CallCase, CallTests, Problem

_CODE = """
import importlib

def offers(name):
    importlib.import_module(name)
    return True
"""
_LIMIT_S = 30.0  # a package's first import may be from a slow disk


def offered_packages(sandbox: Sandbox) -> frozenset[str]:
    """Those of ``PACKAGES`` that a candidate of ``sandbox`` can import. Takes a job for each."""
    jobs = [Job((name, 0), _CODE, _problem(name)) for name in PACKAGES]
    return frozenset(v.problem_id for v in sandbox.run(jobs) if v.passed)


def _problem(name: str) -> Problem:
    return Problem(
        id=name,
        prompt="",
        entry_point="offers",
        tests=CallTests(cases=[CallCase(args=[name], expected=True)]),
        time_limit_s=_LIMIT_S,
    )
