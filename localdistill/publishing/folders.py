"""Files and folders that are there whole or not at all, and replace nobody else's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from localdistill.durable import to_disk, tree_to_disk
from localdistill.errors import ConfigError
from localdistill.publishing.stamps import foreign_in, stamps
from localdistill.quantization.folder_write import NOTE, partial, read_note, write_note

_NAMED = 5  # files in an error's message
_FIX = "Name another folder, or move it away."
# Too large to be copied, and nothing that anybody edits in place.
_LARGE = {".gguf", ".safetensors"}


def refuse_foreign_folder(path: Path) -> None:
    """Make sure that ``new_folder`` replaces only what it made itself, or an empty folder.

    Raises:
        ConfigError: ``path`` is something else, or holds something else or edited.
    """
    for folder in (path, partial(path)):
        if os.path.lexists(folder):
            _refuse_foreign(folder, unfinished=folder != path)


def _refuse_foreign(folder: Path, *, unfinished: bool) -> None:
    if folder.is_symlink() or not folder.is_dir():
        raise ConfigError(f"{folder}: is there already, and not made by this command. {_FIX}")
    if not any(folder.iterdir()):
        return
    note = read_note(folder)
    if "published" not in note:
        raise ConfigError(f"{folder}: is there already, and not made by this command. {_FIX}")
    if unfinished:  # what a kill has left under a name of our own
        return
    written = note.get("files")
    if not isinstance(written, dict):
        raise ConfigError(f"{folder}: its {NOTE} is damaged. {_FIX}")
    if others := foreign_in(folder, written):
        listed = ", ".join(others[:_NAMED])
        listed += f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        what = f"holds what this command has not written, or not so ({listed})"
        raise ConfigError(f"{folder}: {what}. Move that elsewhere, or name another folder.")


@contextmanager
def new_folder(path: Path, kind: str) -> Iterator[Path]:
    """Give an empty folder to fill with files; at the end it becomes ``path``.

    ``kind`` is noted in it, and what its files are like.

    Raises:
        ConfigError: ``path`` is there and not of our making, or not any more.
    """
    refuse_foreign_folder(path)
    temporary = partial(path)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        write_note(temporary, published=kind)
        yield temporary
        write_note(temporary, published=kind, files=stamps(temporary))
        tree_to_disk(temporary)
        refuse_foreign_folder(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    if path.exists():
        shutil.rmtree(path)
    temporary.rename(path)
    to_disk(path.parent)


def link_or_copy(source: Path, target: Path) -> None:
    """Make ``target`` the content of ``source``; of weights a second name on the same disk.

    That takes no room, and nothing here ever writes into such a file: a new one takes the place of
    its name. What people may edit is a copy, so that the run's own stays as it is.
    """
    source = source.resolve()  # a link in the hub's cache
    if _LARGE & {source.suffix, target.suffix}:
        with suppress(OSError):  # another disk, or a file system without such links
            os.link(source, target)
            return
    shutil.copyfile(source, target)


__all__ = ["NOTE", "link_or_copy", "new_folder", "refuse_foreign_folder"]
