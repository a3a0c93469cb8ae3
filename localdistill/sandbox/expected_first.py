"""Test code in which what is expected is computed before the candidate is called.

In ``assert candidate(xs) == sorted(xs)`` Python calls the candidate first, which can change ``xs``
so that whatever the test computes from it afterwards fits. So the later operands of a comparison,
an operation or a call, in an earlier one of which the candidate is called, are moved to the front.
What a test computes in a later statement is as it is anywhere.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

_COMPUTED = (ast.Call, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_BOUND_TO_PLACE = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom, ast.Starred)


def expected_first(source: str, functions: set[str]) -> ast.Module:
    """Parse test code and reorder it; ``functions`` are the names by which candidates are called.

    Raises:
        SyntaxError, ValueError: as ``ast.parse``.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):  # check(candidate) may call its parameter as it likes
        if isinstance(node, ast.FunctionDef) and node.name == "check" and node.args.args:
            functions = functions | {node.args.args[0].arg}
    if not functions or not _has_other_calls(tree, functions):
        return tree
    reordered: ast.Module = _Reorder(functions).visit(tree)
    return ast.fix_missing_locations(reordered)


def checks_something(*trees: ast.Module) -> bool:
    """Whether there is any statement in test code that could find fault."""
    return any(
        isinstance(node, ast.Assert | ast.Raise)
        or (isinstance(node, ast.Attribute) and node.attr.startswith(("assert", "fail")))
        for tree in trees
        for node in ast.walk(tree)
    )


def _has_other_calls(tree: ast.Module, functions: set[str]) -> bool:
    return any(
        isinstance(node, _COMPUTED)
        and not (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in functions
        )
        for node in ast.walk(tree)
    )


class _Reorder(ast.NodeTransformer):
    def __init__(self, functions: set[str]) -> None:
        self._functions = functions

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        return node  # the names of a class's body are out of reach for a lambda in it

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        if len(node.ops) > 1:  # a chain stops at the first one that does not hold
            return node
        return self._reordered(node, [node.left], node.comparators)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        later = [node.right]
        result = self._reordered(node, [node.left], later)
        node.right = later[0]
        return result

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        first = next((n for n, each in enumerate(node.args) if self._calls(each)), None)
        if first is None or node.keywords:
            return node
        later = node.args[first + 1 :]
        result = self._reordered(node, node.args[: first + 1], later)
        node.args[first + 1 :] = later
        return result

    def _reordered(
        self, node: ast.expr, earlier: Sequence[ast.expr], later: list[ast.expr]
    ) -> ast.expr:
        """``(lambda e: EARLIER == e)(LATER)`` for those of ``later`` that are computed."""
        moved = [n for n, each in enumerate(later) if _is_computed(each)]
        operands = [*earlier, *later]
        if (
            not moved
            or not any(map(self._calls, earlier))
            or any(map(self._calls, later))
            or any(_has(each, _BOUND_TO_PLACE) for each in operands)
        ):
            return node
        values = [later[n] for n in moved]
        # One name for each place: they are nested in one another where operations are.
        names = [f"__expected_{node.lineno}_{node.col_offset}_{n}" for n in moved]
        for n, name in zip(moved, names, strict=True):
            later[n] = ast.Name(name, ast.Load())
        parameters = ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])
        return ast.copy_location(ast.Call(ast.Lambda(parameters, node), values, []), node)

    def _calls(self, expression: ast.expr) -> bool:
        return any(
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in self._functions
            for node in ast.walk(expression)
        )


def _is_computed(expression: ast.expr) -> bool:
    return _has(expression, _COMPUTED)


def _has(expression: ast.expr, kinds: tuple[type[ast.AST], ...]) -> bool:
    return any(isinstance(node, kinds) for node in ast.walk(expression))
