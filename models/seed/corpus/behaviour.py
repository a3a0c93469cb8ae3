"""What a program computes and how it is built, as values that can be compared.

Only code that this package has written is executed here.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from typing import Any

from corpus.inputs import arguments

PROBES = 50
PROBE_SEED = 20_251


def function(code: str) -> Callable[..., Any]:
    """The function that the code defines."""
    namespace: dict[str, Any] = {}
    exec(compile(code, "<seed>", "exec"), namespace)  # our own code
    return next(v for k, v in namespace.items() if k != "__builtins__")


def outcome(call: Callable[..., Any], args: list[object]) -> str:
    """The result, with its type, or the name of the exception."""
    try:
        return repr(call(*args))  # none of our programs changes its arguments
    except Exception as error:
        return f"!{type(error).__name__}"


@cache
def _probes(types: tuple[str, ...]) -> list[list[object]]:
    return arguments(types, PROBES, PROBE_SEED)


def fingerprint(code: str, types: tuple[str, ...]) -> str:
    """The outcomes on 50 random inputs, and what kind of inputs they were.

    Two types that are the same in Python ("int" and "natural") have other random inputs, so one
    function could escape under two types; `shape` is there for that.
    """
    call = function(code)
    return f"{types}" + "|".join(outcome(call, args) for args in _probes(types))


class _Normal(ast.NodeTransformer):
    """Names by order of appearance, constants by type."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def _name(self, name: str) -> str:
        return self.names.setdefault(name, f"n{len(self.names)}")

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = "f"
        self.names = {}
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self._name(node.arg)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in BUILTINS:
            node.id = self._name(node.id)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, bool) and node.value is not None:
            node.value = type(node.value).__name__
        return node


BUILTINS = frozenset(
    ("abs", "any", "all", "dict", "enumerate", "int", "len", "list", "map", "max", "min", "next",
     "ord", "range", "set", "sorted", "str", "sum", "zip")
)  # fmt: skip


def shape(code: str) -> str:
    """The syntax tree without names and constants: equal for programs that differ only in those."""
    return ast.dump(_Normal().visit(ast.parse(code)))
