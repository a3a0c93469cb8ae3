"""Calls that tests are certain to make, so that a candidate can be asked for all of them at once.

A call and its answer pass through three processes, which costs more than most candidates take. Most
tests are a list of asserts, with one call each, of arguments that are written out. Those calls are
known before the test runs. An answer is still used only when the test comes to its call.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

# Below these, an expression is computed whatever the others come to.
_UNCONDITIONAL = (ast.BinOp, ast.UnaryOp, ast.Call, ast.Tuple, ast.List, ast.Subscript)
_NO_MATTER = (ast.Assign, ast.Import, ast.ImportFrom, ast.Pass, ast.Expr)


def calls_ahead(
    statements: list[ast.stmt],
    functions: frozenset[str],
    leading: frozenset[str] = frozenset(),
    before: Sequence[ast.stmt] = (),
) -> Iterator[tuple[str, list[Any]]]:
    """Name and arguments of the calls with which ``statements`` begin, in their order.

    ``leading`` are other names by which ``functions`` can be reached, and ``before`` is run before.
    A call that is made in such a way could else be given an answer that came ahead, and with it no
    word of what has become of its arguments.
    """
    known = functions | leading
    if any(_reaches(part, known) for each in before for part in _run_at_once(each)):
        return
    for statement in statements:
        calls = [node for node in ast.walk(statement) if _is_call(node, functions)]
        if any(_is_named(node, known) for node in _all_but_called(statement, calls)):
            return
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


def _all_but_called(statement: ast.stmt, calls: list[ast.AST]) -> Iterator[ast.AST]:
    called = {getattr(call, "func", None) for call in calls}
    return (node for node in ast.walk(statement) if node not in called)


def _run_at_once(statement: ast.stmt) -> list[ast.AST]:
    """What of a statement is run where it stands: not the body of a function."""
    if isinstance(statement, ast.FunctionDef):
        return [statement.args, *statement.decorator_list]
    return [statement]


def _reaches(tree: ast.AST, names: frozenset[str]) -> bool:
    return any(_is_named(node, names) for node in ast.walk(tree))


def _is_named(node: ast.AST, names: frozenset[str]) -> bool:
    return (isinstance(node, ast.Name) and node.id in names) or (
        isinstance(node, ast.Attribute) and node.attr in names
    )


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
