"""The events themselves, one JSON line each, for programs."""

from __future__ import annotations

from typing import TextIO

from localdistill.display.base import StreamDisplay
from localdistill.events import Event


class JsonDisplay(StreamDisplay):
    """Writes each event as it is."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        self._stream.write(event.model_dump_json() + "\n")
        self._stream.flush()


def open_display(stream: TextIO) -> JsonDisplay:
    """A JSON display on ``stream``."""
    return JsonDisplay(stream)
