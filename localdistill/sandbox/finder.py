"""How an import finds the installed packages that candidates may have. For warm parents: light."""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import spec_from_file_location
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec


class Finder:
    """Finds the packages whose folders are given, and nothing else, at the end of the search.

    A folder on ``sys.path`` would have to be readable as a whole.
    """

    def __init__(self, folders: Iterable[str]) -> None:
        self._folders = {os.path.basename(each): each for each in folders}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As of a finder on ``sys.meta_path``; modules inside a package find themselves."""
        folder = self._folders.get(name)
        first = f"{folder}/__init__.py"
        # Not there also where it is below a folder that this user cannot enter.
        if folder is None or not os.path.exists(first):
            return None
        return spec_from_file_location(name, first, submodule_search_locations=[folder])

    def install(self) -> None:
        """Let this process, and those that it forks, import them."""
        sys.meta_path.append(self)
