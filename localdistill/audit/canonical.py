"""Programs and prompts with what a paraphrase changes taken away: names, order, layout."""

from __future__ import annotations

import ast
import builtins
import copy
import re
from collections import Counter

from localdistill.types import AssertTests, CallTests, CheckTests, Problem, StdinTests

_BUILTINS = frozenset(dir(builtins))
_WORD = re.compile(r"[^\W_]+")
_BREAK = re.compile(r"[.,;:!?]\s|\n")
_CODE = re.compile(r"`[^`]*`")


def clauses(problem: Problem) -> list[list[str]]:
    """The words that ask for the problem, in lower case, without names that its code gives.

    By clause, as a paraphrase may put these in another order. The prompt's words, and those of the
    starter code: where what is asked for stands in a docstring, the prompt is often one sentence
    that all problems of a set share. Files that are shown are not what is asked.
    """
    own = _own_names(problem)
    # A name inside back quotes is one whatever it looks like; literals there are kept.
    prompt = _CODE.sub(lambda match: _quoted(match.group()), problem.prompt)
    text = f"{prompt}\n{problem.starter_code or ''}"
    found = []
    for clause in _BREAK.split(text):
        kept = [token for token in re.findall(r"\w+", clause) if token not in own]
        found.append([part.casefold() for token in kept for part in _WORD.findall(token)])
    return found


def statements(source: str | None) -> Counter[str]:
    """How often each statement stands in ``source``, with names of its own taken away.

    A compound statement is its head; what is inside counts by itself. So renaming changes nothing,
    nor does another order. Docstrings and imports do not count. Empty where it is not Python, or
    nested too deeply to be looked at.
    """
    tree = _parse(source)
    if tree is None:
        return Counter()
    own = _bound(tree)
    try:
        return Counter(
            _head(node, own)
            for node in ast.walk(tree)
            if isinstance(node, ast.stmt) and not _says_nothing(node)
        )
    except RecursionError:  # a sum of some hundred terms is nested that deeply
        return Counter()


def program(source: str | None) -> str | None:
    """The whole of ``source`` as one text, with names of its own numbered in their order.

    So two programs are one where they differ in names, layout, comments, docstrings or annotations
    alone. None where it is not Python, or nested too deeply to be looked at.
    """
    tree = _parse(source)
    if tree is None:
        return None
    try:
        return ast.dump(_Bare(_bound(tree)).visit(tree))
    except RecursionError:
        return None


def size(source: str | None) -> int:
    """Nodes of the syntax tree: what is short is alike by chance."""
    tree = _parse(source)
    return 0 if tree is None else sum(not isinstance(n, ast.expr_context) for n in ast.walk(tree))


def cases(problem: Problem) -> set[str]:
    """The test cases, each by itself, without the name of what is tested."""
    tests = problem.tests
    if isinstance(tests, CallTests):
        return {f"{case.args!r} {case.expected!r}" for case in tests.cases}
    if isinstance(tests, StdinTests):
        return {f"{case.input.split()} {case.output.split()}" for case in tests.cases}
    if isinstance(tests, AssertTests):
        return {found for text in tests.asserts for found in _asserts(text, problem)}
    if isinstance(tests, CheckTests):
        return _asserts(tests.code, problem)
    return set()


def _asserts(source: str, problem: Problem) -> set[str]:
    tree = _parse(source)
    if tree is None:
        return set()
    own = {problem.entry_point or "", "candidate"} | _called(tree)
    try:
        return {
            ast.dump(_Nameless(own).visit(node.test))
            for node in ast.walk(tree)
            if isinstance(node, ast.Assert)
        }
    except RecursionError:
        return set()


def _called(tree: ast.AST) -> set[str]:
    names = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return names - _BUILTINS


def _quoted(text: str) -> str:
    inner = text.strip("`")
    return " " if re.fullmatch(r"[A-Za-z_]\w*(\(.*\))?", inner, re.DOTALL) else inner


def _own_names(problem: Problem) -> set[str]:
    names = {problem.entry_point} if problem.entry_point else set()
    tree = _parse(problem.reference)
    if tree is not None:
        # A short name may be a word of the text, as in "a": it says little either way.
        names |= {name for name in _bound(tree) if "_" in name or not name.isalpha()}
    return names


def _parse(source: str | None) -> ast.Module | None:
    try:
        return ast.parse(source or "")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _bound(tree: ast.AST) -> set[str]:
    """Names that the program gives itself."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
    return found


class _Nameless(ast.NodeTransformer):
    """Puts numbers in place of names in ``own``, in the order in which they come.

    So ``b - a for a, b in ...`` stays another thing than ``a - b for a, b in ...``.
    """

    def __init__(self, own: set[str]) -> None:
        self.own = own
        self.numbers: dict[str, str] = {}

    def _rename(self, name: str) -> str:
        if name not in self.own:
            return name
        return self.numbers.setdefault(name, f"_{len(self.numbers)}")

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """A use or a binding."""
        return ast.Name(self._rename(node.id), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """A parameter, without its annotation."""
        return ast.arg(self._rename(node.arg))

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        """An argument by name, of a function of the program's own perhaps."""
        name = self._rename(node.arg) if node.arg else None
        return ast.keyword(name, self.visit(node.value))


class _Bare(_Nameless):
    """Also takes away what a program does not do: docstrings, annotations, ``pass``."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Any node that is not told of elsewhere."""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            node.name = self._rename(node.name)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        if isinstance(node, ast.ExceptHandler) and node.name:
            node.name = self._rename(node.name)
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [line for line in body if not _is_idle(line)]  # type: ignore[attr-defined]
        return super().generic_visit(node)


def _is_idle(node: ast.stmt) -> bool:
    return not isinstance(node, ast.Import | ast.ImportFrom) and _says_nothing(node)


def _says_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Pass):
        return True
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


# What is counted by itself, or only annotates.
_INSIDE = {
    "body", "orelse", "finalbody", "handlers", "cases", "decorator_list", "type_params",
    "name", "returns", "annotation", "type_comment", "simple",
}  # fmt: skip


def _head(node: ast.stmt, own: set[str]) -> str:
    """The statement without those inside it."""
    nameless = _Nameless(own)

    def told(value: object) -> str:
        if isinstance(value, ast.AST):
            return ast.dump(nameless.visit(copy.deepcopy(value)))
        if isinstance(value, list):
            return " ".join(map(told, value))
        return repr(value)

    fields = [told(value) for name, value in ast.iter_fields(node) if name not in _INSIDE]
    return f"{type(node).__name__} {' '.join(fields)}"
