"""Whether test code can be kept apart from the candidate's process, and if not, why.

Values cross between the two, nothing else. Tests that need more of a candidate than its answers
cannot be told from tests to which a candidate lies, so their passes are not to be trained on.
"""

from __future__ import annotations

import ast
import sys

from localdistill.sandbox import names
from localdistill.types import AssertTests, CheckTests, Problem

# What test code does to the process it runs in, which is not the candidate's.
_REACHES_INSIDE = {
    "mock": "replaces parts of the candidate (mock)",
    "patch": "replaces parts of the candidate (patch)",
    "monkeypatch": "replaces parts of the candidate (monkeypatch)",
    "getsource": "reads the candidate's source",
    "redirect_stdout": "reads what the candidate prints",
    "capsys": "reads what the candidate prints",
}
_STREAMS = {"stdin": "types into the candidate", "stdout": "reads what the candidate prints"}


def reason(problem: Problem) -> str | None:
    """Why the tests of ``problem`` cannot be run apart from a candidate; None where they can."""
    tests = problem.tests
    if isinstance(tests, AssertTests):
        asserts, setup = tests.asserts, tests.setup
        entry = problem.entry_point or names.entry_point(asserts)
        missing = names.free_names(setup, asserts) - sys.stdlib_module_names - {entry}
        if missing:
            return f"the tests need {', '.join(sorted(missing))} from the candidate"
        source = "\n".join((setup, *asserts))
        return _look(source, {entry} if entry else set())
    if isinstance(tests, CheckTests):
        entry = problem.entry_point
        return _look(tests.code, {"candidate"} | ({entry} if entry else set()))
    return None  # values and texts


def _look(source: str, functions: set[str]) -> str | None:
    tree = names.parse(source)
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        found = _inside(node) or _of_the_function(node, functions, own - functions)
        if found:
            return found
    return None


def _inside(node: ast.AST) -> str | None:
    """What a node says of reaching into the candidate's process."""
    if isinstance(node, ast.Attribute | ast.Name):
        name = node.attr if isinstance(node, ast.Attribute) else node.id
        if isinstance(node.ctx, ast.Store):
            return f"the test code {_STREAMS[name]}" if name in _STREAMS else None
        return f"the test code {_REACHES_INSIDE[name]}" if name in _REACHES_INSIDE else None
    if isinstance(node, ast.Import | ast.ImportFrom):
        parts = [part for alias in node.names for part in alias.name.split(".")]
        module = getattr(node, "module", None) or ""
        for part in (*parts, *module.split(".")):
            if part in _REACHES_INSIDE:
                return f"the test code {_REACHES_INSIDE[part]}"
            if part in ("candidate", "solution"):
                return "the test code imports the candidate"
    return None


def _of_the_function(node: ast.AST, functions: set[str], own: set[str]) -> str | None:
    """What is asked of the candidate's function other than to be called with values."""
    if isinstance(node, ast.Attribute) and _is_one_of(node.value, functions):
        return f"the tests use {ast.unparse(node)}"
    if not (isinstance(node, ast.Call) and _is_one_of(node.func, functions)):
        return None
    for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
        if isinstance(argument, ast.Lambda) or _is_one_of(argument, own):
            return f"the tests pass a function to {ast.unparse(node.func)}"
    return None


def _is_one_of(node: ast.expr, wanted: set[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in wanted
