"""What a candidate may import, and how a verdict says that it could not."""

from __future__ import annotations

import sys

import pytest

from localdistill.sandbox import Job, Sandbox, importable
from localdistill.types import CallCase, CallTests, CheckTests, Problem

_PROBLEM = Problem(
    id="p",
    prompt="",
    entry_point="solve",
    tests=CallTests(cases=[CallCase(args=["x"], expected="x")]),
)


def test_a_missing_module_is_named_by_the_verdict(sandbox: Sandbox) -> None:
    code = "import yaml.nodes\ndef solve(x):\n    return x"
    (verdict,) = sandbox.run([Job(("p", 0), code, _PROBLEM)])
    assert verdict.status == "runtime_error"
    assert importable.missing_module(verdict.detail) == "yaml"
    assert importable.missing_module("ValueError: no module named 'x'") is None


def test_packages_are_offered_where_they_are_installed_and_nowhere_else(
    sandbox: Sandbox, packages: frozenset[str]
) -> None:
    assert packages <= set(importable.PACKAGES)
    for name in importable.PACKAGES:
        code = f"import {name}\ndef solve(x):\n    return x"
        (verdict,) = sandbox.run([Job(("p", 0), code, _PROBLEM)])
        assert verdict.passed == (name in packages)
        assert verdict.passed or importable.missing_module(verdict.detail) == name


def test_tests_do_not_get_the_packages_of_candidates(sandbox: Sandbox) -> None:
    for name in importable.PACKAGES:
        tests = CheckTests(code=f"import {name}\ndef check(candidate):\n    assert True")
        problem = _PROBLEM.model_copy(update={"tests": tests})
        (verdict,) = sandbox.run([Job(("p", 0), "def solve(x):\n    return x", problem)])
        assert not verdict.passed
        assert f"No module named '{name}'" in verdict.detail


# Parts of the standard library that do not work there: they need a network, a screen or a terminal.
_NEED_MORE = frozenset(
    {
        "antigravity",
        "curses",
        "dbm",
        "idlelib",
        "nis",
        "ossaudiodev",
        "tkinter",
        "turtle",
        "turtledemo",
    }
)
_MODULES = frozenset(sys.stdlib_module_names) - _NEED_MORE
# Private ones aside, and those of other systems, which Python names everywhere.
_PUBLIC = sorted(
    name
    for name in _MODULES - {"this"}
    if not name.startswith(("_", "win", "msvcrt", "msilib", "nt"))
)


@pytest.mark.parametrize("name", _PUBLIC)
def test_what_is_importable_can_be_imported(sandbox: Sandbox, name: str) -> None:
    code = f"import {name}\ndef solve(x):\n    return x"
    (verdict,) = sandbox.run([Job(("p", 0), code, _PROBLEM)])
    assert verdict.passed, verdict
