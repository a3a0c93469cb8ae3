"""The native format: each row is a ``Problem`` as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localdistill.types import Problem


def recognises(row: Mapping[str, Any]) -> bool:
    """Whether a file whose first row is ``row`` is of this format."""
    return "id" in row and "prompt" in row


def to_problem(row: Mapping[str, Any]) -> Problem:
    """Validate one row."""
    return Problem.model_validate(row)
