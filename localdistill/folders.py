"""Folders for what is to be written: made with their parents, and looked at for room."""

from __future__ import annotations

import shutil
from pathlib import Path

from localdistill.errors import StorageError
from localdistill.memory import size


def make_folder(path: Path) -> list[Path]:
    """Make folder ``path`` with its parents; return those that were not there, innermost first."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    made: list[Path] = []
    try:
        for folder in reversed(missing):
            folder.mkdir()
            made.insert(0, folder)
        path.mkdir(exist_ok=True)  # says so where it is a file
    except OSError:
        for folder in made:
            folder.rmdir()
        raise
    return made


def free_bytes(path: Path) -> int:
    """Free bytes on the disk where ``path`` is, or will be."""
    there = next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())
    return shutil.disk_usage(there).free


def require_room(path: Path, needed: int) -> None:
    """Refuse to begin to write ``needed`` bytes (a lower bound) at ``path`` if they will not fit.

    Raises:
        StorageError: the disk has less free.
    """
    free = free_bytes(path)
    if needed > free:
        text = f"{path}: takes {size(needed)}, and the disk is full up to {size(free)}"
        raise StorageError(f"{text}. Free some space, or write to another disk.")
