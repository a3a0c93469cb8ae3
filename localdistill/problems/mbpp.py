"""MBPP, the original file of google-research (Austin et al. 2021, arXiv 2108.07732).

The prompt shows the first assert, without which the function's name and arguments are unknown; all
are graded, so that an answer which hard-codes the visible one fails. The challenge tests are not
used.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from localdistill.types import AssertTests, Problem

# By task_id, both ends included, as the paper defines them; 1-10 are its few-shot prompts.
SPLITS = {"train": (601, 974), "dev": (511, 600), "test": (11, 510)}
_META = {"source": "MBPP", "licence": "CC-BY-4.0"}


def recognises(row: Mapping[str, Any]) -> bool:
    """Whether a file whose first row is ``row`` is of this format."""
    return {"task_id", "text", "code", "test_list"} <= row.keys()


def to_problem(row: Mapping[str, Any]) -> Problem:
    """Turn one row into a problem.

    Raises:
        KeyError, ValueError: a field is missing, or there is no assert.
    """
    asserts = [_unix(text).strip() for text in row["test_list"]]
    if not asserts:
        raise ValueError("test_list is empty")
    reference = _unix(row["code"])
    return Problem(
        id=str(row["task_id"]),
        prompt=f"{_unix(row['text']).strip()}\nYour code should satisfy this test:\n{asserts[0]}",
        tests=AssertTests(setup=_unix(row.get("test_setup_code") or ""), asserts=asserts),
        entry_point=entry_point(asserts, reference),
        reference=reference,
        meta=_META,
    )


def entry_point(asserts: Iterable[str], reference: str) -> str | None:
    """The function that the asserts call: of those that the reference defines, the most called.

    Where the reference defines none of them, the most called one that is not built in; None if
    there is none either. Of two called equally often it is the one called first.
    """
    called: Counter[str] = Counter()
    for text in asserts:
        # Each once an assert, outermost first.
        called.update(list(dict.fromkeys(_called(text))))
    defined = {
        node.name
        for node in _statements(reference)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    ranked = [name for name, _ in called.most_common()]
    for name in ranked:
        if name in defined:
            return name
    return next((name for name in ranked if not hasattr(builtins, name)), None)


def _called(text: str) -> list[str]:
    return [
        node.func.id
        for statement in _statements(text)
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]


def _statements(text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []  # a row that does not parse is for the audit to find, not a reason to stop


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")
