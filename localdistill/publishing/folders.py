"""Files and folders that are there whole or not at all, and replace nobody else's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localdistill.durable import to_disk, tree_to_disk
from localdistill.errors import ConfigError
from localdistill.quantization.folder_write import NOTE, partial, read_note, write_note


def refuse_foreign_folder(path: Path) -> None:
    """Make sure that ``new_folder`` replaces only what it made itself, or an empty folder.

    Raises:
        ConfigError: ``path`` is something else.
    """
    for folder in (path, partial(path)):
        if os.path.lexists(folder) and not _replaceable(folder):
            message = f"{folder}: is there already, and not made by this command"
            raise ConfigError(f"{message}. Name another folder, or move it away.")


def _replaceable(path: Path) -> bool:
    if path.is_symlink() or not path.is_dir():
        return False
    return "published" in read_note(path) or not any(path.iterdir())


@contextmanager
def new_folder(path: Path, kind: str) -> Iterator[Path]:
    """Give an empty folder to fill; at the end it becomes ``path``. ``kind`` is noted in it.

    Raises:
        ConfigError: ``path`` is there and not of our making.
    """
    refuse_foreign_folder(path)
    temporary = partial(path)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        write_note(temporary, published=kind)
        yield temporary
        tree_to_disk(temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    if path.exists():
        shutil.rmtree(path)
    temporary.rename(path)
    to_disk(path.parent)


def link_or_copy(source: Path, target: Path) -> None:
    """Make ``target`` the content of ``source``: on the same disk a second name that takes no room.

    Nothing here ever writes into such a file; a new one takes the place of its name.
    """
    source = source.resolve()  # a link in the hub's cache
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without such links
        shutil.copyfile(source, target)


__all__ = ["NOTE", "link_or_copy", "new_folder", "refuse_foreign_folder"]
