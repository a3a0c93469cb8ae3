"""The file that a candidate's program stands in, as far as it looks for it.

Programs are run from memory. To write each one to a file, and take it away, would cost more than
to run most of them; few ever look.
"""

from __future__ import annotations

import os
import sys
import types

# One of these is in the text of a program that opens its file, or starts it once more.
_OPENS = ("__file__", "argv", "spawn")
_OWN_MODULES = ".py"  # is in the text of a program that writes a module to import it


class _Loader:
    """What ``inspect`` and ``traceback`` ask for the source of a module."""

    def __init__(self, source: str) -> None:
        self._source = source

    def get_source(self, name: str) -> str:
        return self._source


def own_file(module: types.ModuleType, name: str, source: str) -> str:
    """Give ``module`` a file of its own; returns the path at which that is, or would be."""
    folder = os.getcwd()
    path = f"{folder}/{name}"
    module.__file__ = path
    module.__loader__ = _Loader(source)  # type: ignore[assignment]
    if any(word in source for word in _OPENS):
        with open(path, "wb") as file:
            file.write(source.encode("utf-8", "surrogatepass"))
    if _OWN_MODULES in source:
        sys.path.insert(0, folder)  # as Python does
    return path
