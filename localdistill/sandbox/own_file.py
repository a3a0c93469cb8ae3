"""The file that a candidate's program stands in, as far as it looks for it.

Programs are run from memory. To write each one to a file, and take it away, would cost more than
to run most of them; few ever look.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# One of these is in the text of a program that reads its file, or starts it once more.
_LOOK = ("__file__", "argv", "inspect", "linecache", "traceback", "spawn")
_OWN_MODULES = ".py"  # is in the text of a program that writes a module to import it


def own_file(name: str, source: str) -> str:
    """The path at which the program is, or would be."""
    folder = os.getcwd()  # noqa: PTH109
    path = f"{folder}/{name}"
    if any(word in source for word in _LOOK):
        Path(path).write_bytes(source.encode("utf-8", "surrogatepass"))
    if _OWN_MODULES in source:
        sys.path.insert(0, folder)  # as Python does
    return path
