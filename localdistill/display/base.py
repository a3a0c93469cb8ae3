"""What every display can do."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from localdistill.events import Event


class Display(Protocol):
    """A callback that shows events for as long as it is open."""

    def __call__(self, event: Event, /) -> None:
        """Take one event."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Leave the screen in order."""


class RunDisplay(Display, Protocol):
    """A display of a whole run, which may have happened before."""

    @property
    def stuck(self) -> bool:
        """Whether its stream must not be written to, or even closed, after its end."""

    def take(self, event: Event, at: float, *, quietly: bool = False) -> None:
        """Take an event that happened ``at``; ``quietly``: do not speak of it by itself."""

    def look(self) -> None:
        """What was taken may be shown now, and not only at the display's own next moment for it."""

    def show_record(self) -> None:
        """Show what stays of a run that is over; instead of opening the display."""


class StreamDisplay:
    """A display that has nothing to set up on the screen and nothing to clear away."""

    stuck = False

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        raise NotImplementedError

    def take(self, event: Event, at: float, *, quietly: bool = False) -> None:
        """As ``__call__``: it tells no times."""
        self(event)

    def look(self) -> None:
        """Nothing: all has been shown as it was taken."""

    def show_record(self) -> None:
        """Nothing: all has been shown as it was taken."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        return None
