"""Nothing but the result."""

from __future__ import annotations

from typing import TextIO

from localdistill.display.base import StreamDisplay
from localdistill.events import Event


class NoDisplay(StreamDisplay):
    """Drops every event."""

    def __call__(self, event: Event, /) -> None:
        """Take one event."""


def open_display(stream: TextIO) -> NoDisplay:
    """A display that shows nothing."""
    return NoDisplay()
