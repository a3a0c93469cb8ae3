"""Calls that tests are certain to make, so that a candidate can be asked for all of them at once.

A call and its answer pass through three processes, which costs more than most candidates take. Most
tests are a list of asserts, with one call each, of arguments that are written out. Those calls are
known before the test runs. An answer is still used only when the test comes to its call.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

# Below these, an expression is computed whatever the others come to.
_UNCONDITIONAL = (ast.BinOp, ast.UnaryOp, ast.Call, ast.Tuple, ast.List, ast.Subscript)
_NO_MATTER = (ast.Assign, ast.Import, ast.ImportFrom, ast.Pass, ast.Expr)


def calls_ahead(
    statements: list[ast.stmt], functions: frozenset[str]
) -> Iterator[tuple[str, list[Any]]]:
    """Name and arguments of the calls with which ``statements`` begin, in their order."""
    for statement in statements:
        calls = [node for node in ast.walk(statement) if _is_call(node, functions)]
        if not calls and isinstance(statement, (ast.Assert, *_NO_MATTER)):
            continue
        if not (isinstance(statement, ast.Assert) and len(calls) == 1):
            return
        call = calls[0]
        if call not in set(_certain(statement.test)) or not isinstance(call, ast.Call):
            return
        arguments = _literals(call)
        if arguments is None:
            return
        yield getattr(call.func, "id", ""), arguments


def body_of_check(tree: ast.Module) -> tuple[list[ast.stmt], frozenset[str]]:
    """The statements of the function ``check``, and the name of its parameter."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "check" and node.args.args:
            return node.body, frozenset({node.args.args[0].arg})
    return [], frozenset()


def _is_call(node: ast.AST, functions: frozenset[str]) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions
    )


def _certain(expression: ast.expr) -> Iterator[ast.expr]:
    yield expression
    if isinstance(expression, _UNCONDITIONAL) or (
        isinstance(expression, ast.Compare) and len(expression.ops) == 1
    ):
        for child in ast.iter_child_nodes(expression):
            if isinstance(child, ast.expr):
                yield from _certain(child)


def _literals(call: ast.Call) -> list[Any] | None:
    if call.keywords:
        return None
    try:
        return [ast.literal_eval(argument) for argument in call.args]
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
