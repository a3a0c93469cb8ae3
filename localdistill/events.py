"""What a stage reports while it works, and the one protocol by which it does so.

Events are state, not text: a display renders them, ``events.jsonl`` keeps them, a test collects
them. They cross from a stage's process to the run's as one JSON line each.
"""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Scalar = str | int | float | bool | None


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True)


class StageStarted(_Event):
    """A stage begins; ``done`` > 0 where it goes on from earlier work."""

    kind: Literal["stage_started"] = "stage_started"
    stage: str
    title: str
    total: int | None  # units of work in all; None: not known yet
    done: int = 0
    unit: str = "items"


class StageProgress(_Event):
    """``done`` of the units are finished; ``info`` is shown beside (``{"tokens/s": 1820}``)."""

    kind: Literal["stage_progress"] = "stage_progress"
    stage: str
    done: int
    total: int | None = None  # where it has changed since the start
    # Where the stage knows better than by ``done``; ``estimated``: what is to be done may change.
    seconds_left: float | None = None
    estimated: bool = False
    info: dict[str, Scalar] = Field(default_factory=dict)


class StageFinished(_Event):
    """A stage has written its result; ``summary`` says what came out."""

    kind: Literal["stage_finished"] = "stage_finished"
    stage: str
    summary: dict[str, Scalar] = Field(default_factory=dict)
    skipped: bool = False  # it had been finished by an earlier run of the same command


class CallStarted(_Event):
    """A call of the command begins to work on the run: the time before it was nobody's."""

    kind: Literal["call_started"] = "call_started"


class RoundStarted(_Event):
    """A round begins (rounds count from 1; round 0 is the starting model)."""

    kind: Literal["round_started"] = "round_started"
    round: int
    rounds: int


class Scored(_Event):
    """A model has been scored on a problem set: ``value`` of 1 passed, with its interval."""

    kind: Literal["scored"] = "scored"
    problem_set: str  # "dev" or "eval"
    model: str  # its label: "base", "round-01"
    round: int  # that it came of; 0: the starting model
    k: int = 1
    value: float
    low: float
    high: float


class Notice(_Event):
    """Something a person should read; ``warning`` where it may change what they do."""

    kind: Literal["notice"] = "notice"
    level: Literal["info", "warning"] = "info"
    message: str


Event = Annotated[
    StageStarted | StageProgress | StageFinished | CallStarted | RoundStarted | Scored | Notice,
    Field(discriminator="kind"),
]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)


class Recorded(BaseModel):
    """One line of ``events.jsonl``: an event, and when it happened."""

    model_config = ConfigDict(frozen=True)

    at: float  # Unix time in seconds
    event: Event


class Callback(Protocol):
    """Takes events as they happen. Must not raise and must return quickly."""

    def __call__(self, event: Event, /) -> None:
        """Take one event."""


def ignore(event: Event, /) -> None:
    """A callback that drops everything."""
