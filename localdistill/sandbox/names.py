"""Which names assert statements need from a candidate."""

from __future__ import annotations

import ast
import builtins

_BUILTIN = frozenset(dir(builtins))


def entry_point(asserts: list[str]) -> str | None:
    """The function that ``asserts`` call: the first called name in them that is no built-in.

    Where all are built-ins (a candidate may define its own ``sum``), the first called name.
    """
    called = [
        node.func.id
        for statement in asserts
        for node in ast.walk(parse(statement))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    own = [name for name in called if name not in _BUILTIN]
    return next(iter(own or called), None)


def free_names(setup: str, asserts: list[str]) -> set[str]:
    """Names that ``setup`` and ``asserts`` use and neither bind nor find among the built-ins."""
    tree = parse("\n".join((setup, *asserts)))
    used: set[str] = set()
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.alias):
            bound.add(node.asname or node.name.split(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
    return used - bound - _BUILTIN


def parse(source: str) -> ast.Module:
    """Parse test code; what cannot be parsed is empty here, and fails where it is run."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module(body=[], type_ignores=[])
