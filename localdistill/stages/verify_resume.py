"""What *verify* is asked to test, and whether an interrupted file of verdicts may be continued."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from localdistill.errors import ConfigError
from localdistill.jsonl import iter_rows, write_atomically
from localdistill.problems import ProblemSet
from localdistill.types import Completion

Key = tuple[str, int]


def keys_in(completions: Path, problems: ProblemSet) -> set[Key]:
    """The keys of all completions, each of which must be on a problem of the set.

    Raises:
        ConfigError: there is no such file, a completion of another problem, or a key twice.
    """
    if not completions.is_file():
        raise ConfigError(f"{completions}: no such file; `localdistill generate` makes it.")
    known = {problem.id for problem in problems.problems}
    keys: set[Key] = set()
    for row in iter_rows(completions, Completion):
        if row.problem_id not in known:
            message = f"{completions}: holds completions of {row.problem_id}, which is not"
            raise ConfigError(f"{message} in {problems.spec}; give the set they were made from.")
        if row.key in keys:
            message = f"{completions}: holds sample {row.sample} of {row.problem_id} twice"
            raise ConfigError(f"{message}; delete one of the lines.")
        keys.add(row.key)
    return keys


def adopt(completions: Path, out: Path, problems: ProblemSet) -> None:
    """Write down what the verdicts are on, or check that those in the file are on the same.

    More completions may have been appended since: the file must begin with what it was.

    Raises:
        ConfigError: they are on other problems or completions, or ``out`` is something else.
    """
    record = out.with_name(out.name + ".request.json")
    if not record.exists() and out.exists() and out.stat().st_size > 0:
        message = f"{out}: was not begun by this command ({record.name} is missing)"
        raise ConfigError(f"{message}; choose another --out, or delete it.")
    if record.exists() and out.exists():
        saved = json.loads(record.read_text(encoding="utf-8"))
        _, beginning = _whole_lines(completions, saved["bytes"])
        for what, same in (
            ("problems", saved["problems"] == problems.digest),
            ("completions", saved["completions"] == beginning),
        ):
            if not same:
                message = f"{out}: was begun with other {what}"
                raise ConfigError(f"{message}; choose another --out, or delete it to begin anew.")
    size, digest = _whole_lines(completions)
    facts = {"problems": problems.digest, "completions": digest, "bytes": size}
    write_atomically(record, json.dumps(facts, sort_keys=True) + "\n")


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
