"""What a candidate may import: the one place that says so, and a check against it.

The standard library of the Python that runs the sandbox, and those of ``PACKAGES`` that are
installed for it. Nothing else that is installed can be seen: warm parents start with ``-S``, and
their children cannot read the folders of other packages. Test code has the standard library only.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable

# Parts of the standard library that do not work there: they need a network, a screen or a terminal.
_NEED_MORE = frozenset(
    {
        "antigravity",
        "curses",
        "dbm",
        "idlelib",
        "nis",
        "ossaudiodev",
        "tkinter",
        "turtle",
        "turtledemo",
    }
)
MODULES = frozenset(sys.stdlib_module_names) - _NEED_MORE
# Shown to candidates where they are installed, each with the folders that belong to it.
# ``offered.offered_packages`` tells which of them a sandbox has.
PACKAGES = {"numpy": ("numpy", "numpy.libs")}

_MISSING = re.compile(r"ModuleNotFoundError: No module named '([^']+)'")


def unavailable(code: str, packages: Iterable[str] = ()) -> list[str]:
    """Top-level modules that ``code`` imports and a candidate cannot; none if it does not parse.

    ``packages``: those of ``PACKAGES`` that the sandbox has.
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported.add(node.module)
    there = MODULES.union(packages)
    return sorted({name.partition(".")[0] for name in imported} - there)


def missing_module(detail: str) -> str | None:
    """The module whose absence is the reason that a verdict's ``detail`` gives, if it is one."""
    found = _MISSING.search(detail)
    return found.group(1).partition(".")[0] if found else None
