"""Markers that say "complete": ``FILE.done`` beside a file or folder, written last.

What has no marker is unfinished, whatever it holds. A marker also notes how large its file (or each
file of its folder) was, and how it began: what a disk has cut short since is not taken for whole,
and is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from localdistill.durable import to_disk, write_atomically, write_beside
from localdistill.errors import ConfigError

_CONTENT = "_content"  # in a marker, beside the facts
_START = 64  # bytes
_HEAD = 4096  # bytes: holds the type and architecture of a model file


def marker(path: Path) -> Path:
    """Where the completion marker of ``path`` (a file or a folder) stands."""
    return path.with_name(path.name + ".done")


def mark_done(path: Path, at: Path | None = None, /, **facts: Any) -> None:
    """Write the marker of ``path``: its content is complete. ``facts`` are kept for readers.

    ``at`` is where the content stands, if it has not got its name yet.
    """
    kept = {**facts, _CONTENT: _content(at or path)}
    write_atomically(marker(path), json.dumps(kept, sort_keys=True) + "\n")


def is_done(path: Path) -> bool:
    """Whether ``path`` is there, was completed, and has not been cut short since."""
    if not path.exists():
        return False
    kept = _read(path)
    return kept is not None and not _is_cut(path, kept.get(_CONTENT))


def is_cut_short(path: Path) -> bool:
    """Whether ``path`` was complete and a part of it is missing now."""
    kept = _read(path) if path.exists() else None
    return kept is not None and _is_cut(path, kept.get(_CONTENT))


def done_facts(path: Path) -> dict[str, Any]:
    """What ``mark_done`` kept about ``path``."""
    facts: dict[str, Any] = json.loads(marker(path).read_bytes())
    facts.pop(_CONTENT, None)
    return facts


def write_whole(path: Path, text: str, **facts: Any) -> None:
    """Make ``text`` the complete content of ``path``, marked with ``facts``; see ``publish``."""
    publish(write_beside(path, lambda place: place.write_bytes(text.encode())), path, **facts)


def publish(whole: Path, path: Path, **facts: Any) -> None:
    """Put ``whole``, a file or folder that is on the disk, in place of ``path``; mark it complete.

    A file that is there is replaced, a folder only if it is empty. What was made here and is
    damaged now is set aside, as ``NAME.damaged``: it might be a user's own edit.

    The marker is there before the name is. So what has that name and no marker was never made
    here, and ``refuse_foreign`` tells it from what a kill has left.
    """
    if is_cut_short(path):
        _set_aside(path)
    elif path.is_dir() and not path.is_symlink():
        if marker(path).exists() and _read(path) is None:
            shutil.rmtree(path)  # made here; its marker is damaged
        else:
            path.rmdir()
    else:
        path.unlink(missing_ok=True)
    mark_done(path, whole, **facts)
    whole.replace(path)
    to_disk(path.parent)


def refuse_foreign(out: Path) -> None:
    """Make sure that ``publish`` replaces nothing but what was made here, or an empty folder.

    Raises:
        ConfigError: ``out`` is something else.
    """
    if not os.path.lexists(out) or (out.exists() and marker(out).exists()):
        return
    if out.is_dir() and not out.is_symlink() and not any(out.iterdir()):
        return
    message = f"{out}: is there already, and not made by this command"
    raise ConfigError(f"{message}. Name another --out, or move it away.")


def _read(path: Path) -> dict[str, Any] | None:
    """The whole marker of ``path``; None where there is none, or none that can be read."""
    try:
        kept = json.loads(marker(path).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return kept if isinstance(kept, dict) else None


def _content(path: Path) -> dict[str, Any]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return {"files": {str(f.relative_to(path)): f.stat().st_size for f in files}}
    start = _beginning(path, _START).hex()
    return {"bytes": path.stat().st_size, "start": start, "head": _head(path)}


def _is_cut(path: Path, noted: Any) -> bool:
    """Whether ``path`` is less than what was ``noted`` of it, or that is unknown."""
    if not isinstance(noted, dict):
        return True
    if "files" in noted:
        sizes = noted["files"].items()
        return any(_size(path / name) < size for name, size in sizes)
    size = _size(path)
    if size >= noted["bytes"]:
        return False
    # Another file that somebody has put there instead begins otherwise.
    if size >= _HEAD:
        return bool(_head(path) == noted["head"])
    return bytes.fromhex(noted["start"]).startswith(_beginning(path, _START))


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else -1


def _head(file: Path) -> str:
    return hashlib.sha256(_beginning(file, _HEAD)).hexdigest()


def _beginning(file: Path, length: int) -> bytes:
    with file.open("rb") as content:
        return content.read(length)


def _set_aside(path: Path) -> None:
    aside = path.with_name(path.name + ".damaged")
    if aside.is_dir() and not aside.is_symlink():
        shutil.rmtree(aside)
    else:
        aside.unlink(missing_ok=True)
    path.rename(aside)
