"""Test code in which what is expected is computed before the candidate is called.

In ``assert candidate(xs) == sorted(xs)`` Python calls the candidate first, which can change ``xs``
so that whatever the test computes from it afterwards fits. So the later operands of a comparison,
an operation or a call, in an earlier one of which the candidate is called, are moved to the front.
So are those of an assert that follows such a call. What a test computes in any later statement is
as it is anywhere.
"""

from __future__ import annotations

import ast
import builtins
import itertools
from collections.abc import Callable, Iterator

# What makes a new value out of others, so that it may be made before the candidate is called.
_COMPUTED = (
    *(ast.Call, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
    *(ast.BinOp, ast.Subscript, ast.JoinedStr, ast.IfExp, ast.Attribute),
)
_BOUND_TO_PLACE = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)
_BLOCKS = (ast.Module, ast.FunctionDef, ast.For, ast.While, ast.If, ast.With, ast.Try)
_BUILTIN = frozenset(dir(builtins))


def expected_first(source: str, functions: set[str]) -> ast.Module:
    """Parse test code and reorder it; ``functions`` are the names by which candidates are called.

    Raises:
        SyntaxError, ValueError: as ``ast.parse``.
    """
    tree = ast.parse(source)
    functions = functions | _parameters_of_check(tree)
    functions |= leading_to(tree, functions)
    if not functions or not _has_more_than_calls(tree, functions):
        return tree
    reordered: ast.Module = _Reorder(functions).visit(tree)
    for node in ast.walk(reordered):
        if isinstance(node, _BLOCKS):
            node.body = list(_asserts_first(node.body, functions))
    return ast.fix_missing_locations(reordered)


def leading_to(tree: ast.Module, functions: set[str]) -> set[str]:
    """Names of the test code's own functions through which the candidate's are called."""
    found: set[str] = set()
    while True:
        known = functions | found
        more = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef) and any(_mentions(s, known) for s in node.body)
        }
        more |= {
            target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Name | ast.Lambda)
            and _mentions(node.value, known)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        if more <= known:
            return found
        found |= more


def _parameters_of_check(tree: ast.Module) -> set[str]:
    """``check(candidate)`` may call its parameter as it likes."""
    return {
        node.args.args[0].arg
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == "check" and node.args.args
    }


def checks_something(*trees: ast.Module) -> bool:
    """Whether there is any statement in test code that could find fault."""
    return any(
        isinstance(node, ast.Assert | ast.Raise)
        or (isinstance(node, ast.Attribute) and node.attr.startswith(("assert", "fail")))
        for tree in trees
        for node in ast.walk(tree)
    )


def _mentions(node: ast.AST, wanted: set[str]) -> bool:
    return any(isinstance(each, ast.Name) and each.id in wanted for each in ast.walk(node))


def _has_more_than_calls(tree: ast.Module, functions: set[str]) -> bool:
    """Whether anything but calls of the candidate's functions is computed, at a glance."""
    return any(
        isinstance(node, _COMPUTED)
        and not (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in functions
        )
        for node in ast.walk(tree)
    )


def _asserts_first(statements: list[ast.stmt], functions: set[str]) -> Iterator[ast.stmt]:
    """``got = solve(xs)`` and then asserts about it: what they expect goes before the call."""
    for at, statement in enumerate(statements):
        got = _name_of_answer(statement, functions)
        for check in itertools.takewhile(_is_check, statements[at + 1 :]) if got else ():
            for node in _certain(_condition(check)):
                places = _operands(node)
                if not any(_mentions(place.get(), {got}) for place in places):
                    continue
                for n, place in enumerate(places):
                    value = place.get()
                    if _is_computed(value) and not _mentions(value, functions | {got}):
                        name = f"_expected_{node.lineno}_{node.col_offset}_before_{n}"
                        target = ast.Name(name, ast.Store())
                        yield ast.copy_location(ast.Assign([target], value), statement)
                        place.put(ast.Name(name, ast.Load()))
        yield statement


def _name_of_answer(statement: ast.stmt, functions: set[str]) -> str:
    if isinstance(statement, ast.Assign) and _mentions(statement.value, functions):
        names = [each.id for each in statement.targets if isinstance(each, ast.Name)]
        if len(names) == len(statement.targets) == 1 and isinstance(statement.value, ast.Call):
            return names[0]
    return ""


def _is_check(statement: ast.stmt) -> bool:
    checked = isinstance(statement, ast.Assert) or (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        # A method may change what is looked at afterwards: ``seen.append(got)``.
        and getattr(statement.value.func, "attr", "assert").startswith("assert")
    )
    return checked and not _has(statement, _BOUND_TO_PLACE)


def _condition(check: ast.stmt) -> ast.expr:
    found: ast.expr = check.test if isinstance(check, ast.Assert) else getattr(check, "value")  # noqa: B009
    return found


def _certain(node: ast.expr) -> Iterator[ast.expr]:
    """The operations below ``node`` that are done whatever the others come to."""
    if isinstance(node, ast.Compare | ast.BinOp | ast.Call):
        yield node
        for place in _operands(node)[: 2 if isinstance(node, ast.Compare) else None]:
            yield from _certain(place.get())
    elif isinstance(node, ast.UnaryOp):
        yield from _certain(node.operand)


def _operands(node: ast.expr) -> list[_Place]:
    """Where the operands of an operation stand, in the order in which they are computed."""
    if isinstance(node, ast.Compare):
        return [_field(node, "left"), *_places(node.comparators)]
    if isinstance(node, ast.BinOp):
        return [_field(node, "left"), _field(node, "right")]
    if isinstance(node, ast.Call):
        keywords = [_field(each, "value") for each in node.keywords]
        return [_field(node, "func"), *_places(node.args), *keywords]
    return []


class _Reorder(ast.NodeTransformer):
    def __init__(self, functions: set[str]) -> None:
        self._functions = functions

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        return node  # the names of a class's body are out of reach for a lambda in it

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        return self._reordered(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        return self._reordered(node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        return self._reordered(node)

    def _reordered(self, node: ast.expr) -> ast.expr:
        """``(lambda e: EARLIER == e)(LATER)`` for what is computed after a candidate is called."""
        self.generic_visit(node)
        places = _operands(node)
        called = [n for n, place in enumerate(places) if self._calls(place.get())]
        if not called:
            return node
        moved = [
            place
            for place in places[called[0] + 1 :]
            if _is_computed(place.get()) and not self._calls(place.get())
        ]
        if not moved or any(_has(place.get(), _BOUND_TO_PLACE) for place in moved):
            return node
        values = [place.get() for place in moved]
        # One name for each place: they are nested in one another where operations are.
        names = [f"_expected_{node.lineno}_{node.col_offset}_{n}" for n in range(len(moved))]
        for place, name in zip(moved, names, strict=True):
            place.put(ast.Name(name, ast.Load()))
        if _has(node, _BOUND_TO_PLACE):  # which are not to be bound in a lambda
            kept = [
                ast.NamedExpr(ast.Name(name, ast.Store()), value)
                for name, value in zip(names, values, strict=True)
            ]
            last = ast.Tuple([*kept, node], ast.Load())
            return ast.copy_location(ast.Subscript(last, ast.Constant(len(kept)), ast.Load()), node)
        parameters = ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])
        return ast.copy_location(ast.Call(ast.Lambda(parameters, node), values, []), node)

    def _calls(self, expression: ast.expr) -> bool:
        return _mentions(expression, self._functions)


class _Place:
    """Where an operand stands."""

    def __init__(self, get: Callable[[], ast.expr], put: Callable[[ast.expr], None]) -> None:
        self.get, self.put = get, put


def _field(node: ast.AST, name: str) -> _Place:
    return _Place(lambda: getattr(node, name), lambda value: setattr(node, name, value))


def _places(operands: list[ast.expr]) -> list[_Place]:
    def place(n: int) -> _Place:
        return _Place(lambda: operands[n], lambda value: operands.__setitem__(n, value))

    return [place(n) for n in range(len(operands))]


def _is_computed(expression: ast.expr) -> bool:
    """Whether it makes a new value out of names; ``*values`` as an argument is none."""
    if isinstance(expression, ast.Starred | ast.Lambda) or not _has(expression, _COMPUTED):
        return False
    return any(
        isinstance(node, ast.Name) and node.id not in _BUILTIN for node in ast.walk(expression)
    )


def _has(expression: ast.AST, kinds: tuple[type[ast.AST], ...]) -> bool:
    return any(isinstance(node, kinds) for node in ast.walk(expression))
