"""OpenAI HumanEval (Chen et al. 2021, arXiv 2107.03374).

A row's prompt is the beginning of a module: imports, sometimes helper functions, and the function
to complete. It becomes the starter code. What stands in it beside that function is the setup of the
tests, as three of them call such a helper; a completion must bring what it uses itself.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from localdistill.types import CheckTests, Problem

_META = {"source": "HumanEval", "licence": "MIT"}


def recognises(row: Mapping[str, Any]) -> bool:
    """Whether a file whose first row is ``row`` is of this format."""
    return {"task_id", "prompt", "entry_point", "test"} <= row.keys()


def to_problem(row: Mapping[str, Any]) -> Problem:
    """Turn one row into a problem.

    Raises:
        KeyError, ValueError: a field is missing, or the prompt does not define the entry point.
    """
    name, start = row["entry_point"], _unix(row["prompt"])
    solution = row.get("canonical_solution")
    return Problem(
        id=row["task_id"],
        prompt=(
            f"Complete the Python function `{name}`. Answer with the whole program in one code "
            "block, including the imports and helper functions that it needs."
        ),
        tests=CheckTests(code=_unix(row["test"]), setup=_without(start, name)),
        entry_point=name,
        starter_code=start,
        reference=start + _unix(solution) if solution is not None else None,
        meta=_META,
    )


def _without(start: str, name: str) -> str:
    """The module ``start`` without its function ``name``."""
    lines = start.split("\n")
    kept: list[str] = []
    found = False
    next_line = 0
    for node in _module(start).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
            kept += lines[next_line : first - 1]
            next_line = node.end_lineno or node.lineno
            found = True
    if not found:
        raise ValueError(f"the prompt does not define {name}")
    return "\n".join([*kept, *lines[next_line:]]).strip()


def _module(start: str) -> ast.Module:
    try:
        return ast.parse(start)
    except SyntaxError:
        # A function without a docstring has no body yet.
        return ast.parse(start.rstrip() + "\n    pass\n")


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")
