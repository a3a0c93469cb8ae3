"""Files that are there whole or not at all, after a kill, a full disk or a power cut.

Something new is written beside its place, brought to the disk, renamed, and the folder is brought
to the disk too: a rename alone may reach it before the content does. What a run cannot do without
(its configuration, its manifest) stands there twice.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from localdistill.digests import text_digest


def to_disk(*paths: Path) -> None:
    """Force files and folders to the disk; of a folder that is which names it has."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def tree_to_disk(folder: Path) -> None:
    """Force ``folder`` to the disk with all that is in it."""
    for path in folder.rglob("*"):
        if path.is_file() or path.is_dir():
            to_disk(path)
    to_disk(folder)


def write_beside(path: Path, write: Callable[[Path], object]) -> Path:
    """Let ``write`` make the next content of ``path``, on the disk and under another name.

    ``write`` gets that name, and it is returned; nothing is left of it where that fails.
    """
    temporary = unfinished(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write(temporary)
        to_disk(temporary)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    return temporary


def replace_with(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` make a file that takes the place of ``path`` when it is whole."""
    write_beside(path, write).replace(path)
    to_disk(path.parent)


def write_atomically(path: Path, text: str) -> None:
    """Put ``text`` in place of ``path`` so that a reader sees the old file or the whole new one."""
    replace_with(path, lambda place: place.write_bytes(text.encode()))


def unfinished(path: Path) -> Path:
    """Where the next content of ``path`` stands until it is whole."""
    return path.with_name(path.name + ".tmp")


def spare(path: Path) -> Path:
    """Where the second copy of ``path`` stands, with its digest."""
    return path.with_name(path.name + ".copy")


def write_twice(path: Path, text: str) -> None:
    """Write ``text`` as ``write_atomically`` does, and a copy from which it can be restored."""
    kept = {"sha256": text_digest(text), "text": text}
    write_atomically(spare(path), json.dumps(kept) + "\n")
    write_atomically(path, text)


def restore(path: Path) -> bool:
    """Make ``path`` whole again if it has been cut short; tells whether it was.

    Cut short is a file that holds the beginning of what its copy holds. Any other difference is
    somebody's doing and left alone, and so is a file that has gone.
    """
    for text in _kept(path):
        whole = text.encode()
        found = path.read_bytes() if path.is_file() else whole
        if len(found) < len(whole) and whole.startswith(found):
            write_atomically(path, text)
            return True
    return False


def _kept(path: Path) -> Iterator[str]:
    """The text of the copy, if that is whole."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        kept = json.loads(spare(path).read_bytes())
        if kept["sha256"] == text_digest(kept["text"]):
            yield kept["text"]
