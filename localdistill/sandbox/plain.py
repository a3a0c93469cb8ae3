"""Test code that cannot change anything outside of its own names.

Such code may run in a process in which other tests ran before and will run after it. That is an
allow list: of syntax, of modules and what is in them, of built-in functions, of attributes. All
other test code gets a process of its own.
"""

from __future__ import annotations

import ast
import builtins

_ANY: frozenset[str] = frozenset()
_NOTHING = frozenset({""})
# What may be used of a module; ``_ANY``: everything, for modules of pure functions.
_MODULES: dict[str, frozenset[str]] = {
    "bisect": _ANY,
    "cmath": _ANY,
    "collections": frozenset({"Counter", "OrderedDict", "defaultdict", "deque"}),
    "copy": frozenset({"copy", "deepcopy"}),
    "datetime": frozenset({"date", "datetime", "time", "timedelta"}),
    "decimal": frozenset({"Decimal"}),
    "fractions": frozenset({"Fraction"}),
    "functools": frozenset({"reduce"}),
    "heapq": _ANY,
    "itertools": _ANY,
    "math": _ANY,
    "random": frozenset({"Random", "choice", "randint", "random", "sample", "seed", "shuffle"}),
    "string": frozenset({"ascii_letters", "ascii_lowercase", "ascii_uppercase", "digits"}),
    "sys": frozenset({"getsizeof", "maxsize"}),
    "typing": frozenset(
        {"Any", "Callable", "Dict", "Iterable", "List", "Optional", "Set", "Tuple"}
    ),
}
_BUILTINS = frozenset(
    "abs all any ascii bin bool bytearray bytes chr complex dict divmod enumerate filter float "  # noqa: SIM905
    "frozenset hash hex int isinstance iter len list map max min next oct ord pow print range repr "
    "reversed round set slice sorted str sum tuple zip ArithmeticError AssertionError "
    "AttributeError Exception IndexError KeyError LookupError NameError OverflowError "
    "RuntimeError TypeError ValueError ZeroDivisionError".split()
)
_FORBIDDEN = frozenset(dir(builtins)) - _BUILTINS
# Of frames, code, generators and tracebacks: ways to what other code holds.
_FORBIDDEN_ATTRIBUTES = ("_", "gi_", "f_", "tb_", "co_", "cr_", "ag_", "format", "with_traceback")
_SYNTAX: tuple[type[ast.AST], ...] = (
    *(ast.Module, ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Assert, ast.Pass),
    *(ast.FunctionDef, ast.Lambda, ast.arguments, ast.arg, ast.Return, ast.Raise, ast.NamedExpr),
    *(ast.If, ast.IfExp, ast.For, ast.While, ast.Break, ast.Continue, ast.Try, ast.ExceptHandler),
    *(ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.keyword, ast.Constant),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context, ast.Starred),
    *(ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Subscript, ast.Slice, ast.Name, ast.Attribute),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.comprehension),
    *(ast.JoinedStr, ast.FormattedValue, ast.Import, ast.ImportFrom, ast.alias),
)


def is_plain(trees: list[ast.Module]) -> bool:
    """Whether ``trees``, which share their names, are made of nothing but what the lists allow."""
    tree = ast.Module([statement for each in trees for statement in each.body], [])
    modules: dict[str, frozenset[str]] = dict(_MODULES)
    looked_into: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name, other in ((each.name, each.asname) for each in node.names if each.asname):
                allowed = _MODULES.get(name, _ANY)
                # Which of two modules of one name is meant, is decided where it runs.
                modules[other] = allowed if modules.get(other, allowed) == allowed else _NOTHING
        elif isinstance(node, ast.Attribute):
            looked_into.add(node.value)
    for name in _own_names(tree):
        modules.pop(name, None)
    return all(
        _is_plain(node, modules) and (node in looked_into or not _is_module(node, modules))
        for node in ast.walk(tree)
    )


def _own_names(tree: ast.Module) -> set[str]:
    """Names that are bound in ``tree`` and never by an import: no modules, whatever they say.

    Nor does a test find a module under such a name without an import: see ``names.free_names``.
    """
    bound: set[str] = set()
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            imported.add(node.asname or node.name.split(".")[0])
    return bound - imported


def is_plain_module(name: str) -> bool:
    """Whether a module may be at hand for plain tests."""
    return name in _MODULES


def _is_module(node: ast.AST, modules: dict[str, frozenset[str]]) -> bool:
    """Whether ``node`` is the name of a module, which under another name would be unknown."""
    return isinstance(node, ast.Name) and node.id in modules


def _is_plain(node: ast.AST, modules: dict[str, frozenset[str]]) -> bool:
    if isinstance(node, ast.Name):
        return not node.id.startswith("__") and node.id not in _FORBIDDEN
    if isinstance(node, ast.Attribute):
        return _is_plain_attribute(node, modules)
    if isinstance(node, ast.FunctionDef):
        return not node.name.startswith("__") and not node.decorator_list
    if isinstance(node, ast.Import | ast.ImportFrom):
        return _is_plain_import(node)
    return isinstance(node, _SYNTAX)


def _is_plain_import(node: ast.Import | ast.ImportFrom) -> bool:
    names = [alias.name for alias in node.names]
    if isinstance(node, ast.Import):
        return all(name in _MODULES for name in names)
    allowed = _MODULES.get(node.module or "")
    if allowed is None or node.level:
        return False
    return all(name in allowed or (not allowed and not name.startswith("_")) for name in names)


def _is_plain_attribute(node: ast.Attribute, modules: dict[str, frozenset[str]]) -> bool:
    if not isinstance(node.ctx, ast.Load) or node.attr.startswith(_FORBIDDEN_ATTRIBUTES):
        return False
    allowed = modules.get(node.value.id, _ANY) if isinstance(node.value, ast.Name) else _ANY
    return not allowed or node.attr in allowed
