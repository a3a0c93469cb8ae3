"""What an interrupted *generate* still owes, and whether a file may be continued at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from localdistill.backends.base import GenerationRequest
from localdistill.digests import file_digest
from localdistill.durable import write_atomically
from localdistill.errors import ConfigError
from localdistill.jsonl import read_rows
from localdistill.types import Completion

Work = Sequence[GenerationRequest]


def missing(out: Path, wanted: Work) -> list[GenerationRequest]:
    """Those of ``wanted`` that have no row in ``out``."""
    present = {row.key for row in read_rows(out, Completion)} if out.exists() else set()
    return [request for request in wanted if request.key not in present]


def done_in(out: Path) -> tuple[int, int]:
    """Completions in ``out``, and their tokens."""
    rows = read_rows(out, Completion) if out.exists() else []
    return len(rows), sum(row.token_count for row in rows)


def in_chunks(work: Work, size: int) -> Iterator[Work]:
    """Cut ``work`` into groups of ``size``; the last one may be smaller."""
    for start in range(0, len(work), size):
        yield work[start : start + size]


def missing_chunks(out: Path, wanted: Work, size: int) -> list[GenerationRequest]:
    """Those of ``wanted`` whose chunk is not whole in ``out``; rows of such chunks are cut off.

    Floating point depends on the composition of a batch. A chunk is therefore decoded and written
    as a whole, and one that was torn is decoded again as a whole: its texts come out the same.
    """
    return list(wanted[keep_whole_chunks(out, in_chunks(wanted, size)) :])


def keep_whole_chunks(out: Path, chunks: Iterable[Work]) -> int:
    """Cut off the rows of ``out`` that make no whole chunk; returns how many are left."""
    rows = read_rows(out, Completion) if out.exists() else []
    whole = 0
    for chunk in chunks:
        end = whole + len(chunk)
        if [row.key for row in rows[whole:end]] != [request.key for request in chunk]:
            break
        whole = end
    if whole < len(rows):
        write_atomically(out, "".join(row.model_dump_json() + "\n" for row in rows[:whole]))
    return whole


def record(out: Path) -> Path:
    """Where it is written down what the rows of ``out`` were made with."""
    return out.with_name(out.name + ".request.json")


def model_digest(path: Path) -> str | None:
    """SHA-256 of a model file; None where there is none (any more)."""
    return file_digest(path) if path.is_file() else None


def prompts_digest(work: Work) -> str:
    """SHA-256 over the problems' ids and messages: what of a problem set a model sees."""
    digest = hashlib.sha256()
    for request in work:
        turns = [[message.role, message.content] for message in request.messages]
        digest.update(json.dumps([request.problem_id, turns]).encode())
    return digest.hexdigest()


def check_same(out: Path, identity: dict[str, Any]) -> None:
    """Refuse to go on with an ``out`` that was begun with another identity.

    A model that is not there is not compared: a finished file outlives its model, and for an
    unfinished one the generator says so better.

    Raises:
        ConfigError: it names every setting that differs, with both values.
    """
    if not record(out).exists():
        if out.exists() and out.stat().st_size > 0:
            message = f"{out} was not begun by this command ({record(out).name} is missing)"
            raise ConfigError(f"{message}; give another --out, or delete it")
        return
    begun = _begun(out, identity)
    names = [name for name in {**begun, **identity} if begun.get(name) != identity.get(name)]
    if identity["model"] is None and "model" in names:
        names.remove("model")
    if names:
        differ = ", ".join(_difference(name, begun, identity) for name in names)
        raise ConfigError(
            f"{out} was begun with other settings: {differ}; use those, or give another --out "
            f"(or delete {out.name} and {record(out).name})"
        )


def _difference(name: str, begun: dict[str, Any], now: dict[str, Any]) -> str:
    by_name = begun.get("drawn_by") == now.get("drawn_by") == "server"
    if name == "problems" or (name == "model" and not by_name):
        return f"another content of --{name}"
    return f"{name} {begun.get(name)}, now {now.get(name)}"


def _begun(out: Path, identity: dict[str, Any]) -> dict[str, Any]:
    """What the record says, or ``identity`` where it is a record of that cut short."""
    found = record(out).read_bytes()
    try:
        begun: dict[str, Any] = json.loads(found)
    except ValueError:
        if not _is_cut(found, identity):
            message = f"{record(out)} is damaged, so nobody knows what {out} was begun with"
            raise ConfigError(f"{message}; give another --out, or delete both.") from None
        return identity
    return begun


def begun_with(out: Path, name: str) -> Any:
    """What the record of ``out`` says of ``name``; None where it says nothing, or is damaged."""
    try:
        begun = json.loads(record(out).read_bytes())
    except (OSError, ValueError):
        return None
    return begun.get(name) if isinstance(begun, dict) else None


def write_record(out: Path, identity: dict[str, Any]) -> None:
    """Write down what the rows of ``out`` are made with, as ``check_same`` has found them to be.

    A record that is there stays, unless it has been cut short: a later version may say more.
    """
    path = record(out)
    if not path.exists() or _is_cut(path.read_bytes(), identity):
        write_atomically(path, _record_text(identity))


def _is_cut(found: bytes, identity: dict[str, Any]) -> bool:
    """Whether ``found`` is the beginning of the record of ``identity``, and not all of it."""
    whole = _record_text(identity).encode()
    return len(found) < len(whole) and whole.startswith(found)


def _record_text(identity: dict[str, Any]) -> str:
    return json.dumps(identity, indent=2) + "\n"
