"""Which large files of old rounds are taken away, when, and what is written down of them.

The rule (``keep = "best+last"``): once a round has its model and that was scored on dev, the
weights in 16 bits and the model file of every round that is neither the best one nor the last are
removed, with what was set aside as damaged and checkpoints that were left. Nothing needs them any
more: a round begins with the best model so far, and an earlier one cannot become the best again.
Adapters stay, as those of later rounds build on them and they are small; so do completions,
verdicts, examples and all records. ``keep = "all"`` removes nothing.

``pruned.json`` in the round's folder is written before anything is removed. A round that has one is
finished, and is not done again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from pydantic import Field

from localdistill.durable import write_twice
from localdistill.markers import done_facts, is_done
from localdistill.quantization.fingerprint import folder_fingerprint
from localdistill.records import read_record
from localdistill.run_dir import RoundDir
from localdistill.types import Row


class Pruned(Row):
    """What was removed of a round, and why (``pruned.json``)."""

    round: int
    kept: list[int]  # the rounds whose files stayed then
    removed: dict[str, int]  # name in the round's folder -> bytes
    # Of the weights: what they were made of, and how later rounds know them.
    made_of: dict[str, str | None] = Field(default_factory=dict)
    fingerprint: str | None = None


def record(paths: RoundDir) -> Path:
    """Where it is written down."""
    return paths.path / "pruned.json"


def pruned(paths: RoundDir) -> Pruned | None:
    """What was removed of a round; None where nothing was.

    Raises:
        ConfigError: the record is damaged.
    """
    return read_record(record(paths), Pruned, "Delete it to do the round again.")


def is_over(paths: RoundDir) -> bool:
    """Whether a round has come to its end, with a model or without."""
    return is_done(paths.model) or paths.rejected.exists() or record(paths).is_file()


def superseded(rounds: Iterable[int], best: Iterable[int], keep: str) -> list[int]:
    """Those of ``rounds`` (with a model, in any order) whose large files nothing needs any more.

    ``best`` are the best one so far (0: the starting model) and, where that is none of a round's,
    the best one of them.
    """
    made = sorted(rounds)
    if keep == "all" or not made:
        return []
    return [number for number in made if number not in (*best, made[-1])]


def prune(paths: RoundDir, number: int, kept: Iterable[int]) -> Pruned:
    """Remove what is large of round ``number``, after that was written down.

    Where a kill stopped it, the same call removes the rest. ``kept`` are the rounds that stay.
    """
    found = pruned(paths)
    if found is None:
        whole = is_done(paths.merged)
        facts = done_facts(paths.merged) if whole else {}
        found = Pruned(
            round=number,
            kept=sorted(kept),
            removed={path.name: _size(path) for path in _large(paths)},
            made_of={name: facts.get(name) for name in ("adapter", "master")},
            fingerprint=folder_fingerprint(paths.merged) if whole else None,
        )
        write_twice(record(paths), found.model_dump_json(indent=2) + "\n")
    for path in _large(paths):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return found


def _large(paths: RoundDir) -> list[Path]:
    names = (
        paths.merged.name, paths.model.name,
        f"{paths.adapter.name}.checkpoints", f"{paths.adapter.name}.partial",
    )  # fmt: skip
    found = [paths.path / name for name in names]
    found += paths.path.glob("*.damaged")
    return [path for path in found if path.exists() and not path.is_symlink()]


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
