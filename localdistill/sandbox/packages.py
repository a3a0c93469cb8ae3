"""Installed packages that candidates may import: where they are. ``finder`` finds them there.

They are shown one by one, by the folders that ``importable.PACKAGES`` names: nothing that is
installed beside them becomes visible, and nothing is loaded before a candidate asks for it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path

from localdistill.sandbox.importable import PACKAGES

IN_THE_IMAGE = "/opt/localdistill/packages"  # see the target ``pit`` of the Dockerfile


def in_folder(folder: str) -> tuple[str, ...]:
    """The folders of all packages that lie in ``folder``; none where it does not exist."""
    real = Path(folder).resolve()
    return tuple(path for names in PACKAGES.values() for path in _existing(real, names))


def of_this_image() -> tuple[str, ...]:
    """The folders of all packages that an image has for candidates, or else for the tool."""
    return in_folder(IN_THE_IMAGE) or in_folder(str(Path(__file__).resolve().parents[2]))


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
