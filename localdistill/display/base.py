"""What every display can do, and the state that they render."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from localdistill.events import (
    Event,
    Notice,
    RoundStarted,
    Scalar,
    StageFinished,
    StageProgress,
    StageStarted,
)


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


class StreamDisplay:
    """A display that has nothing to set up on the screen and nothing to clear away."""

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


@dataclass
class StageState:
    """One stage, as far as it has got."""

    name: str
    title: str
    total: int | None  # None: not known yet
    done: int
    unit: str
    began: float
    first: int  # units that earlier runs had finished
    info: dict[str, Scalar] = field(default_factory=dict)
    finished: bool = False
    estimated: bool = False  # its total and the time left may change with what comes out
    told_left: float | None = None  # seconds, as the stage itself reckons

    def take(self, event: StageProgress) -> None:
        """Bring it up to date."""
        self.done = event.done
        self.info = dict(event.info)
        self.total = self.total if event.total is None else event.total
        self.told_left, self.estimated = event.seconds_left, event.estimated

    def seconds_left(self, now: float) -> float | None:
        """Time left in seconds, at the rate so far unless told; None before a rate is known."""
        worked = self.done - self.first
        if self.finished or self.told_left is not None:
            return self.told_left
        if self.total is None or worked <= 0 or now <= self.began:
            return None
        return (self.total - self.done) * (now - self.began) / worked

    def count(self, of: str, about: str) -> str:
        """``600/2,400``, ``600/~2,400``, or ``600`` where no total is known."""
        if self.total is None:
            return f"{self.done:,}"
        return f"{self.done:,}{of}{about if self.estimated else ''}{self.total:,}"

    def time_left(self, now: float) -> str | None:
        """``3:05 left``, or ``about 3:05 left``; None where it is not known."""
        seconds = self.seconds_left(now)
        if seconds is None:
            return None
        return f"{'about ' if self.estimated else ''}{duration(seconds)} left"


@dataclass
class RunState:
    """What a person can be shown of a run, kept up to date by events."""

    round: int = 0
    rounds: int = 0
    stages: dict[str, StageState] = field(default_factory=dict)  # by name, as they began last
    history: list[tuple[str, dict[str, Scalar], bool]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """Bring the state up to date with ``event``."""
        match event:
            case RoundStarted():
                self.round, self.rounds = event.round, event.rounds
            case StageStarted():
                self.stages.pop(event.stage, None)
                self.stages[event.stage] = StageState(
                    event.stage,
                    event.title,
                    event.total,
                    event.done,
                    event.unit,
                    time.monotonic(),
                    event.done,
                )
            case StageProgress():
                if event.stage in self.stages:
                    self.stages[event.stage].take(event)
            case StageFinished():
                stage = self.stages.get(event.stage)
                title = stage.title if stage else event.stage
                if stage is not None:
                    stage.finished = True
                self.history.append((title, dict(event.summary), event.skipped))
            case Notice():
                self.notices.append(event)

    def at_work(self) -> list[StageState]:
        """The stages at work, in the order in which they began: two where one follows another."""
        return [stage for stage in list(self.stages.values()) if not stage.finished]


def figures(values: dict[str, Scalar]) -> str:
    """``{"kept": 12, "loss": 0.5, "tokens/s": 949.2}`` as ``12 kept, loss 0.5, 949 tokens/s``."""
    parts = []
    for field_name, value in values.items():
        name = field_name.replace("_", " ")
        if isinstance(value, bool) or value is None:
            continue
        if isinstance(value, float) and name.endswith("/s"):
            parts.append(f"{value:,.0f} {name}")
        elif isinstance(value, float):
            parts.append(f"{name} {value:,.3g}" if abs(value) < 1000 else f"{name} {value:,.0f}")
        elif isinstance(value, int):
            parts.append(f"{value:,} {name}")
        else:
            parts.append(f"{name} {value}")
    return ", ".join(parts)


def duration(seconds: float | None) -> str:
    """``3:05`` or ``1:02:09``; a dash where it is not known."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
