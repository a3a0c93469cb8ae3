"""What *verify* is asked to test, and whether an interrupted file of verdicts may be continued."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from localdistill.durable import write_atomically
from localdistill.errors import ConfigError
from localdistill.jsonl import iter_rows
from localdistill.markers import marker
from localdistill.problems import ProblemSet
from localdistill.types import Completion

Key = tuple[str, int]


def keys_in(completions: Path, problems: ProblemSet) -> set[Key]:
    """The keys of all completions, each of which must be on a problem of the set.

    Raises:
        ConfigError: there is no such file, a completion of another problem, or a key twice.
    """
    if not completions.is_file():
        raise no_such_file(completions)
    found = Keys(completions, problems)
    for row in iter_rows(completions, Completion):
        found.add(row)
    return found.seen


def no_such_file(completions: Path) -> ConfigError:
    """What to raise where there is nothing to test."""
    return ConfigError(f"{completions}: no such file; `localdistill generate` makes it.")


class Keys:
    """The keys of completions as they are read."""

    def __init__(self, completions: Path, problems: ProblemSet) -> None:
        self.seen: set[Key] = set()
        self._completions = completions
        self._spec = problems.spec
        self._known = {problem.id for problem in problems.problems}

    def add(self, row: Completion) -> None:
        """Take one more.

        Raises:
            ConfigError: it is of a problem that is not in the set, or is there already.
        """
        if row.problem_id not in self._known:
            message = f"{self._completions}: holds completions of {row.problem_id}, which is not"
            raise ConfigError(f"{message} in {self._spec}; give the set they were made from.")
        if row.key in self.seen:
            message = f"{self._completions}: holds sample {row.sample} of {row.problem_id} twice"
            raise ConfigError(f"{message}; delete one of the lines.")
        self.seen.add(row.key)


def adopt(completions: Path, out: Path, problems: ProblemSet) -> None:
    """Write down what the verdicts are on, or check that those in the file are on the same.

    More completions may have been appended since: the file must begin with what it was.

    Raises:
        ConfigError: they are on other problems or completions, or ``out`` is something else.
    """
    check(completions, out, problems)
    pin(out, problems, *_whole_lines(completions))


def check(completions: Path, out: Path, problems: ProblemSet) -> None:
    """Check that the verdicts in ``out``, if there are any, are on these problems and completions.

    Raises:
        ConfigError: they are not, or ``out`` is something else.
    """
    saved = pinned(out)
    if saved is None:
        return
    _, beginning = _whole_lines(completions, saved["bytes"])
    for what, same in (
        ("problems", saved["problems"] == problems.digest),
        ("completions", saved["completions"] == beginning),
    ):
        if not same:
            message = f"{out}: was begun with other {what}"
            raise ConfigError(f"{message}; choose another --out, or delete it to begin anew.")


def drop_damaged(out: Path) -> bool:
    """Begin the verdicts in ``out`` anew if nobody knows what they are on; tells whether so.

    Their record was cut short. Verdicts can be had again; those on something else are worth
    nothing.
    """
    record = _record(out)
    try:
        json.loads(record.read_bytes())
    except FileNotFoundError:
        return False
    except ValueError:
        for file in (marker(out), out, record):  # the record last: without it ``out`` is foreign
            file.unlink(missing_ok=True)
        return True
    return False


def pinned(out: Path) -> dict[str, Any] | None:
    """What is written down of the verdicts in ``out``; None where there are none.

    Raises:
        ConfigError: ``out`` is something else.
    """
    record = _record(out)
    if not record.exists() and out.exists() and out.stat().st_size > 0:
        message = f"{out}: was not begun by this command ({record.name} is missing)"
        raise ConfigError(f"{message}; choose another --out, or delete it.")
    if not (record.exists() and out.exists()):
        return None
    found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    return found


def pin(out: Path, problems: ProblemSet, size: int, digest: str) -> None:
    """Write down that the verdicts in ``out`` are on the first ``size`` bytes of completions."""
    facts = {"problems": problems.digest, "completions": digest, "bytes": size}
    write_atomically(_record(out), json.dumps(facts, sort_keys=True) + "\n")


def _record(out: Path) -> Path:
    return out.with_name(out.name + ".request.json")


def _whole_lines(path: Path, limit: int | None = None) -> tuple[int, str]:
    """Size in bytes and SHA-256 of the whole lines of ``path`` within its first ``limit`` bytes.

    A line that a kill has torn does not belong to them: it will be cut off.
    """
    total = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n") or (limit is not None and size + len(line) > limit):
                break
            total.update(line)
            size += len(line)
    return size, total.hexdigest()
