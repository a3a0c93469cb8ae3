"""Tests that a person gives with a prompt: a file of asserts, or of tests in the native format."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from localdistill.errors import ConfigError
from localdistill.types import Problem

# What a native problem tells beside its prompt, as far as tests need it.
_FIELDS = ("tests", "entry_point", "time_limit_s", "memory_limit_mb")
_KINDS = ("asserts", "check", "stdin", "call")


def read_tests(path: Path) -> dict[str, Any]:
    """The fields of a problem that say how it is tested.

    A Python file: each ``assert`` at its top level is a test, the rest runs before them. A JSON
    file: an object with ``tests`` (and ``entry_point`` ...) as in the native format, or the tests
    alone. Nothing of it is run here.

    Raises:
        ConfigError: it cannot be read, or holds no tests.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin with a BOM
    except OSError as error:
        raise ConfigError(f"--tests {path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"--tests {path}: not text in UTF-8.") from error
    return _of_json(path, text) if text.lstrip().startswith("{") else _of_python(path, text)


def _of_python(path: Path, text: str) -> dict[str, Any]:
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError) as error:
        message = f"--tests {path}: neither Python nor JSON ({error})"
        raise ConfigError(f"{message}. Write one assert a line.") from error
    asserts = [node for node in body if isinstance(node, ast.Assert)]
    if not asserts:
        message = f"--tests {path}: has no assert at its top level"
        raise ConfigError(f"{message}. Write tests as in: assert add(2, 3) == 5")
    setup = [node for node in body if not isinstance(node, ast.Assert)]
    tests = {
        "kind": "asserts",
        "setup": "\n".join(ast.unparse(node) for node in setup),
        "asserts": [ast.get_source_segment(text, node) or ast.unparse(node) for node in asserts],
    }
    return {"tests": tests}


def _of_json(path: Path, text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"--tests {path}: not JSON ({error}). Correct that place.") from error
    fields = {"tests": content} if content.get("kind") in _KINDS else content
    found = {name: fields[name] for name in _FIELDS if fields.get(name) is not None}
    try:
        problem = Problem.model_validate({"id": "tests", "prompt": "-", **found})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        message = f"--tests {path}: {where}: {first['msg']}. Correct it."
        raise ConfigError(message) from error
    if problem.tests is None:
        message = f"--tests {path}: has no tests"
        raise ConfigError(f'{message}. Write them as in {{"tests": {{"kind": "asserts", ...}}}}.')
    if problem.tests.kind in ("check", "call") and not problem.entry_point:
        message = f"--tests {path}: tests of kind {problem.tests.kind} need an entry_point"
        raise ConfigError(f"{message}: name the function that is tested.")
    return found
