"""Installed packages that candidates may import: where they are, and how an import finds them.

They are shown one by one, by the folders that ``importable.PACKAGES`` names: nothing that is
installed beside them becomes visible, and nothing is loaded before a candidate asks for it.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from localdistill.sandbox.importable import PACKAGES

IN_THE_IMAGE = "/opt/localdistill/packages"  # see the target ``pit`` of the Dockerfile


def in_folder(folder: str) -> tuple[str, ...]:
    """The folders of all packages that lie in ``folder``; none where it does not exist."""
    return tuple(path for names in PACKAGES.values() for path in _existing(Path(folder), names))


def beside_the_tool() -> tuple[str, ...]:
    """The folders of all packages that this process could import."""
    found: list[str] = []
    for name, names in PACKAGES.items():
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations:
            folder = Path(next(iter(spec.submodule_search_locations))).resolve()
            found += _existing(folder.parent, names)
    return tuple(found)


def _existing(folder: Path, names: Iterable[str]) -> list[str]:
    return [str(folder / name) for name in names if (folder / name).is_dir()]


class Finder:
    """Finds the packages whose folders are given, and nothing else, at the end of the search.

    A folder on ``sys.path`` would have to be readable as a whole.
    """

    def __init__(self, folders: Iterable[str]) -> None:
        self._folders = {Path(each).name: each for each in folders}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As of a finder on ``sys.meta_path``; modules inside a package find themselves."""
        if name not in PACKAGES or name not in self._folders:
            return None
        folder = self._folders[name]
        first = f"{folder}/__init__.py"
        # Also False below a folder that this user cannot enter, where ``Path.exists`` raises.
        if not os.path.exists(first):  # noqa: PTH110
            return None
        return importlib.util.spec_from_file_location(
            name, first, submodule_search_locations=[folder]
        )

    def install(self) -> None:
        """Let this process import them."""
        sys.meta_path.append(self)
