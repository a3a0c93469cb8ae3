"""Writing a model folder so that it is there whole or not at all.

A folder is filled under a temporary name, gets a note of where it comes from, is renamed and then
marked. The note proves that a folder without marker (a kill between the last two steps) was made
here and may be replaced; a folder of the user's own never is.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localdistill.durable import tree_to_disk
from localdistill.errors import ModelError
from localdistill.markers import done_facts, is_done, mark_done, marker

NOTE = "localdistill.json"


def partial(path: Path) -> Path:
    """Where the unfinished form of ``path`` stands."""
    return path.with_name(path.name + ".partial")


def is_made_from(path: Path, facts: dict[str, Any]) -> bool:
    """Whether ``path`` is complete and was made from just these ``facts`` (values as in JSON)."""
    return is_done(path) and done_facts(path) == facts


@contextmanager
def folder_of(path: Path, facts: dict[str, Any]) -> Iterator[Path]:
    """Give an empty folder to fill; at the end it becomes ``path`` and is marked with ``facts``.

    Raises:
        ModelError: ``path`` is there and was not made here.
    """
    if path.exists() and not (path / NOTE).is_file():
        raise ModelError(f"{path}: is there already and not ours. Name another folder to write.")
    temporary = partial(path)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    if not (temporary / NOTE).exists():
        write_note(temporary)
    tree_to_disk(temporary)
    marker(path).unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)
    temporary.rename(path)
    mark_done(path, **facts)


def write_note(folder: Path, **notes: Any) -> None:
    """Say in ``folder`` that it was made here, with ``notes`` for later steps."""
    text = json.dumps({"made_by": "localdistill", **notes}, indent=2) + "\n"
    (folder / NOTE).write_text(text, encoding="utf-8")


def read_note(folder: Path) -> dict[str, Any]:
    """What ``write_note`` kept in ``folder``; empty for a folder that was not made here."""
    try:
        content = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
