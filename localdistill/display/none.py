"""Nothing but the result."""

from __future__ import annotations

from types import TracebackType
from typing import TextIO

from localdistill.events import Event


class NoDisplay:
    """Drops every event."""

    def __call__(self, event: Event, /) -> None:
        """Take one event."""

    def __enter__(self) -> NoDisplay:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        return None


def open_display(stream: TextIO) -> NoDisplay:
    """A display that shows nothing."""
    return NoDisplay()
