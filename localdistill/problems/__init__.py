"""Problem sets: ``load`` reads one from a file of any known format.

A format is one module of this package with ``recognises`` and ``to_problem``; its name is the
module's name. What a specification may say is in ``spec.py``.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import pkgutil
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from localdistill.errors import ProblemSetError
from localdistill.jsonl import iter_lines
from localdistill.problems.spec import Part, ids_in, resolve
from localdistill.types import AssertTests, CheckTests, Problem, Tests


@dataclass(frozen=True)
class ProblemSet:
    """Problems in the order of their file, with what identifies them.

    name: a short name for people, from the file's name and the part.
    spec: what ``load`` was asked for.
    digest: SHA-256 (hex) of the problems as native rows: it does not depend on file name or format.
    """

    name: str
    spec: str
    problems: list[Problem]
    digest: str


class Format(Protocol):
    """What a format's module defines. ``SPLITS`` (name -> first and last id) may be left out."""

    def recognises(self, row: Mapping[str, Any]) -> bool:
        """Whether a file whose first row is ``row`` is of this format."""

    def to_problem(self, row: Mapping[str, Any]) -> Problem:
        """Turn a row into a problem; raises ``ValueError`` or ``KeyError`` if it is not one."""


def load(spec: str, limit: int | None = None) -> ProblemSet:
    """Read the problem set ``[format:]FILE[#part]``; FILE is JSONL, plain or ``.gz``.

    ``limit`` takes the first so many problems of the part, in the order of the file; reading stops
    there, so what stands behind is not checked.

    Raises:
        ProblemSetError: one line that names file, line and the fix: no such file, unknown format or
            part, a line that is not a problem, an id given twice, no problem at all.
    """
    if limit is not None and limit < 1:
        raise ProblemSetError(f"A limit of {limit} leaves no problem in {spec}; give 1 or more.")
    name, path, part_text = resolve(spec, sorted(formats()))
    problems: list[Problem] = []
    lines: dict[str, int] = {}
    part: Part | None = None
    read = 0
    for number, row in _rows(path):
        if read == 0:
            name = name or _recognise(row, path, number)
            splits = getattr(formats()[name], "SPLITS", {})
            part = ids_in(part_text, name, splits) if part_text is not None else None
        read += 1
        problem = _problem(row, name, path, number)
        if problem.id in lines:
            message = f"{path}, line {number}: the id {problem.id} was given in line"
            raise ProblemSetError(f"{message} {lines[problem.id]} already; make ids unique.")
        lines[problem.id] = number
        if part is None or part.holds(problem.id, path, number):
            problems.append(problem)
            if len(problems) == limit:
                break
    if not problems:
        what = f"none of its {read} problems is in #{part_text}" if read else "holds no problem"
        raise ProblemSetError(f"{path}: {what}; choose another file or part.")
    return ProblemSet(_title(path, part_text), spec, problems, digest(problems))


def digest(problems: list[Problem]) -> str:
    """SHA-256 (hex) of ``problems``, each as one line of native JSON."""
    total = hashlib.sha256()
    for problem in problems:
        total.update(problem.model_dump_json().encode() + b"\n")
    return total.hexdigest()


@functools.cache
def formats() -> dict[str, Format]:
    """All formats by name: the modules of this package that turn rows into problems."""
    found: dict[str, Format] = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        if hasattr(loaded, "to_problem"):
            found[module.name] = cast("Format", loaded)
    return found


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        for number, line in iter_lines(path):
            try:
                row = json.loads(line.decode("utf-8"))  # of bytes it would guess the encoding
            except (ValueError, RecursionError) as error:
                message = f"{path}, line {number}: not JSON in UTF-8 ({error})."
                raise ProblemSetError(f"{message} Each line must hold one object.") from error
            if not isinstance(row, dict):
                message = f"{path}, line {number}: not a JSON object."
                raise ProblemSetError(f"{message} Each line must hold one problem.")
            yield number, row
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"{path}: cannot be read ({reason})."
        raise ProblemSetError(f"{message} It must be JSONL, plain or .gz.") from error


def _recognise(row: dict[str, Any], path: Path, number: int) -> str:
    for name, module in formats().items():
        if module.recognises(row):
            return name
    message = f"{path}, line {number}: of no known format (it has {', '.join(sorted(row)[:8])})."
    known = f"Known are {', '.join(sorted(formats()))}; a native row has at least id and prompt."
    raise ProblemSetError(f"{message} {known}")


def _problem(row: dict[str, Any], name: str, path: Path, number: int) -> Problem:
    where = f"{path}, line {number}"
    try:
        problem = formats()[name].to_problem(row)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(step) for step in first["loc"])
        raise ProblemSetError(f"{where}: {field}: {first['msg']}. Correct that line.") from error
    except KeyError as error:
        message = f"{where}: the field {error.args[0]} of the format {name} is missing."
        raise ProblemSetError(f"{message} Correct that line.") from error
    except (ValueError, TypeError, AttributeError, SyntaxError, RecursionError) as error:
        message = f"{where}: not a problem of the format {name} ({error})."
        raise ProblemSetError(f"{message} Correct that line.") from error
    flaw = _flaw(problem)
    if flaw:
        raise ProblemSetError(f"{where}: {flaw}. Correct that line.")
    return problem


def _flaw(problem: Problem) -> str | None:
    """What makes a well-formed problem unusable, if anything does."""
    try:
        problem.model_dump_json()
    except PydanticSerializationError:
        return "holds half a character (a lone surrogate such as \\ud800)"
    if not problem.id:
        return "id is empty"
    if not problem.prompt.strip():
        return "prompt is empty"
    if problem.tests and problem.tests.kind in ("check", "call") and not problem.entry_point:
        return f"tests of kind {problem.tests.kind} need an entry_point"
    if problem.tests and _is_empty(problem.tests):
        return "its tests hold no case (leave tests out where there are none)"
    return None


def _is_empty(tests: Tests) -> bool:
    match tests:
        case AssertTests():
            return not tests.asserts
        case CheckTests():
            return not tests.code.strip()
        case _:
            return not tests.cases


def _title(path: Path, part: str | None) -> str:
    name = path.name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".json")
    return f"{name}#{part}" if part is not None else name
