"""The events that a run has written (``events.jsonl``), read again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from localdistill.events import Recorded
from localdistill.jsonl import iter_lines


def recorded(path: Path) -> Iterator[Recorded]:
    """Yield all events of ``path``, the oldest first; none where there is no such file."""
    if path.is_file():
        for _, line in iter_lines(path):
            if (row := event_of(line)) is not None:
                yield row


def event_of(line: bytes) -> Recorded | None:
    """The event of one line; None: it is none, but a hole that a power cut has left, or torn."""
    try:
        return Recorded.model_validate_json(line)
    except ValidationError:
        return None
