"""What the specification of a problem set says: ``[format:]FILE[#part]``.

The part is a range of ids by the set's own numbers (``#11-510``, both ends included; the number of
``HumanEval/32`` is 32) or a split that the format defines (``#train``).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localdistill.errors import ProblemSetError

_RANGE = re.compile(r"(\d+)-(\d+)", re.ASCII)
_NUMBER = re.compile(r"\d+\Z", re.ASCII)
# What could have been meant as the name of a format: no folder, no drive letter.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Part:
    """A range of ids, both ends included."""

    first: int
    last: int

    def holds(self, problem_id: str, path: Path, line: int) -> bool:
        """Whether ``problem_id`` is in the range, by the number at its end.

        Raises:
            ProblemSetError: it does not end in a number; ``path`` and ``line`` say where it stands.
        """
        number = _NUMBER.search(problem_id)
        if not number:
            message = f"{path}, line {line}: the id {problem_id} does not end in a number"
            raise ProblemSetError(f"{message}; name the file without an id range.")
        return self.first <= int(number[0]) <= self.last


def resolve(spec: str, known: Sequence[str]) -> tuple[str, Path, str | None]:
    """Split ``spec`` into format (``""``: to be recognised), file and part.

    A path may hold ``:`` and ``#``: of the readings that name a file which is there, the one with
    the longest path is taken.

    Raises:
        ProblemSetError: an unknown format, or no such file.
    """
    readings: list[tuple[str, str, str | None]] = [("", spec, None)]
    before, _, after = spec.rpartition("#")
    if before:
        readings.append(("", before, after))
    named, _, rest = spec.partition(":")
    if named in known:
        readings.append((named, rest, None))
        before, _, after = rest.rpartition("#")
        if before:
            readings.append((named, before, after))
    for name, text, part in readings:
        if text and Path(text).is_file():
            return name, Path(text), part
    if ":" in spec and named not in known and _NAME.fullmatch(named):
        raise ProblemSetError(_unknown(named, known))
    wanted = Path(readings[-1][1])
    if wanted.is_dir():
        raise ProblemSetError(f"{wanted}: a folder; name a file of problems in it.")
    raise ProblemSetError(f"{wanted}: no such file; check the path to the problems.")


def ids_in(part: str, name: str, splits: Mapping[str, tuple[int, int]]) -> Part:
    """The ids that ``part`` of a set of the format ``name`` stands for.

    Raises:
        ProblemSetError: neither a range nor a split of that format.
    """
    if part in splits:
        return Part(*splits[part])
    matched = _RANGE.fullmatch(part)
    if matched and int(matched[1]) <= int(matched[2]):
        return Part(int(matched[1]), int(matched[2]))
    if matched:
        raise ProblemSetError(f"#{part}: the range is empty; write the smaller id first.")
    offered = f"its splits are {', '.join(splits)}" if splits else f"{name} has no named splits"
    raise ProblemSetError(f"#{part}: no part of a {name} set; {offered}, a range is #11-510.")


def _unknown(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}."
    return f"{name}: neither a file nor a format of problems; {hint}"
