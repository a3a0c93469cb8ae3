"""Arguments that a problem itself shows: calls in its prompt, or those of its tests.

Only arguments are read. What a test expects is never looked at, so that whoever selects by these
calls does not select by tests.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from localdistill.selection.programs import Arguments
from localdistill.types import AssertTests, CallTests, CheckTests, Problem

_LONGEST_CALL = 4000  # characters
_MOST_CALLS = 50
# LeetCode's way: "Input: nums = [2, 7], target = 9".
_INPUT = re.compile(r"^[ \t>*]*Input:[ \t*]*(\w+ *= *.+?)[ \t*]*$", re.MULTILINE)


def shown_calls(problem: Problem) -> list[Arguments]:
    """The arguments of the calls of the entry point in the prompt and starter code.

    Where these show none, those of the problem's tests; none where a whole program is tested.
    """
    if not problem.entry_point:
        return []
    name = problem.entry_point.rpartition(".")[2]
    text = f"{problem.prompt}\n{problem.starter_code or ''}"
    return _distinct([*_calls_in(text, name), *_inputs_in(text)]) or _distinct(
        _tested(problem, name)
    )


def _tested(problem: Problem, name: str) -> Iterator[Arguments]:
    tests = problem.tests
    if isinstance(tests, CallTests):
        yield from (tuple(case.args) for case in tests.cases)
    elif isinstance(tests, AssertTests):
        for text in tests.asserts:
            yield from _calls_in(text, name)
    elif isinstance(tests, CheckTests):
        yield from _calls_in(tests.code, "candidate")


def _calls_in(text: str, name: str) -> Iterator[Arguments]:
    """Arguments of the calls of ``name`` in a text of any kind, where all of them are literals."""
    for match in re.finditer(rf"(?<![\w.]){re.escape(name)}\(", text):
        if text[: match.start()].endswith("def "):
            continue
        found = _arguments(text[match.end() : match.end() + _LONGEST_CALL])
        if found is not None:
            yield found


def _inputs_in(text: str) -> Iterator[Arguments]:
    for match in _INPUT.finditer(text):
        found = _arguments(f"{match[1]})")
        if found is not None:
            yield found


def _arguments(rest: str) -> Arguments | None:
    """The arguments in front of the parenthesis that closes a call, named ones in their order."""
    end = rest.find(")")
    while end >= 0:
        call = _call(f"f({rest[: end + 1]}")
        if call is not None:
            values = [*call.args, *(keyword.value for keyword in call.keywords)]
            return _literals(values)
        end = rest.find(")", end + 1)
    return None


def _call(text: str) -> ast.Call | None:
    try:
        body = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return body if isinstance(body, ast.Call) and isinstance(body.func, ast.Name) else None


def _literals(nodes: list[ast.expr]) -> Arguments | None:
    try:
        return tuple(ast.literal_eval(node) for node in nodes)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _distinct(calls: Any) -> list[Arguments]:
    found = {repr(call): call for call in calls}
    return list(found.values())[:_MOST_CALLS]
