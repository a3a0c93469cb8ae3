"""What a file was like when this command wrote it: so that a user's own work is not replaced."""

from __future__ import annotations

import os
from pathlib import Path

from localdistill.digests import file_digest
from localdistill.errors import ConfigError
from localdistill.markers import done_facts, is_done, refuse_foreign
from localdistill.quantization.fingerprint import COVERED, file_fingerprint
from localdistill.quantization.folder_write import NOTE

CARD = "README.md"
# What the marker of a file that was written for people has: of the file, and of its card.
MARKED = frozenset({"file", "stamp", "cards"})


def stamp(file: Path) -> str:
    """Tells ``file`` from an edited one: its fingerprint, of a large one also its time.

    The fingerprint is of samples where a file is large, and an edit in place may miss them all.
    """
    status, found = file.stat(), file_fingerprint(file)
    return found if status.st_size <= COVERED else f"{found} {status.st_mtime_ns}"


def stamps(folder: Path) -> dict[str, str]:
    """The stamps of what stands in ``folder``, by name, without its note."""
    return {file.name: stamp(file) for file in sorted(folder.iterdir()) if file.name != NOTE}


def foreign_in(folder: Path, noted: dict[str, str]) -> list[str]:
    """Names in ``folder`` that are not as they were ``noted``; what is missing is none of them."""
    return [
        entry.name
        for entry in sorted(folder.iterdir())
        if entry.name != NOTE
        and (entry.is_symlink() or not entry.is_file() or noted.get(entry.name) != stamp(entry))
    ]


def card_beside(file: Path) -> Path:
    """Where the card of a single file stands."""
    return file.with_name(f"{file.name}.{CARD}")


def refuse_edited(file: Path) -> None:
    """Make sure that ``file``, and the card beside it, are as this command has written them.

    Raises:
        ConfigError: one of them is something else, or has been edited.
    """
    card, facts = card_beside(file), done_facts(file) if is_done(file) else {}
    if not facts:
        refuse_foreign(card)
    if not facts or not MARKED.issuperset(facts):
        return  # of a stage, which writes no card
    if "stamp" in facts and facts["stamp"] != stamp(file):
        raise _not_ours(file)
    if not os.path.lexists(card):
        return
    known = facts.get("cards", ())
    if card.is_symlink() or not card.is_file() or file_digest(card) not in known:
        raise _not_ours(card)


def _not_ours(path: Path) -> ConfigError:
    message = f"{path}: is not as this command has written it"
    return ConfigError(f"{message}. Move it away, or name another file to write.")
