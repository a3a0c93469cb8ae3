"""What a candidate may import: the one place that says so.

The standard library of the Python that runs the sandbox, and those of ``PACKAGES`` that are
installed for it. Nothing else that is installed can be seen: warm parents start with ``-S``, and
their children cannot read the folders of other packages. Test code has the standard library only.
"""

from __future__ import annotations

import re

# Shown to candidates where they are installed, each with the folders that belong to it.
PACKAGES = {"numpy": ("numpy", "numpy.libs")}

_MISSING = re.compile(r"ModuleNotFoundError: No module named '([^']+)'")


def missing_module(detail: str) -> str | None:
    """The module whose absence is the reason that a verdict's ``detail`` gives, if it is one."""
    found = _MISSING.search(detail)
    return found.group(1).partition(".")[0] if found else None
