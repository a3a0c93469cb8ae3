"""What a stage reports while it works, and the one protocol by which it does so.

Events are state, not text: a display renders them, ``events.jsonl`` keeps them, a test collects
them. They cross from a stage's process to the run's as one JSON line each.
"""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Scalar = str | int | float | bool | None

# Between two events of progress of a stage in ``events.jsonl``: two of them, and a moment to paint,
# are less than the two seconds in which a watcher is to see what has happened.
BEAT_S = 0.75


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True)


class RunStarted(_Event):
    """A call of ``run`` begins or goes on with a run; all events up to the next are of it."""

    kind: Literal["run_started"] = "run_started"
    model: str  # a path
    directory: str
    log: str  # where stages' own output goes, for a person to read
    rounds: int


class Pace(BaseModel):
    """How long a stage of a round took in earlier calls, of all of them together."""

    model_config = ConfigDict(frozen=True)

    round: int  # the last one in which some of its work was done
    seconds: float = 0.0
    units: int = 0
    whole: bool = False  # it came to its end in that round


class Planned(_Event):
    """What is known beforehand of how models are compared, to tell how long the run will take."""

    kind: Literal["planned"] = "planned"
    dev_completions: int = 0  # drawn and tested of each model on the dev set
    final_completions: int  # and of both models on the eval set, but for those that are there
    earlier: dict[str, Pace] = Field(default_factory=dict)  # by stage


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


class GpuUsage(_Event):
    """One GPU, all its users together."""

    memory_used: int
    memory_total: int
    busy: float | None = None  # share of the last second; None: it does not tell


class Usage(_Event):
    """What is in use on the machine (in a container: of what that may have); bytes and shares."""

    kind: Literal["usage"] = "usage"
    memory_used: int
    memory_total: int
    gpus: tuple[GpuUsage, ...] = ()


Wish = Literal["pause", "resume", "stop"]


class Steered(_Event):
    """The user wishes that the run pauses, goes on, or stops after its current unit of work."""

    kind: Literal["steered"] = "steered"
    wish: Wish


class RunFinished(_Event):
    """How a call of ``run`` ended: the last event of it, and the result for programs."""

    kind: Literal["finished"] = "finished"
    outcome: Literal["finished", "stopped", "failed"]
    exit_code: int
    # "no new model": no round gave one, or there was no time for one; "not known": there was
    # no time to compare the new model. None: it did not come so far.
    verdict: Literal["better", "no evidence", "worse", "no new model", "not known"] | None = None
    # Paired difference in pass@1 to the starting model, as a share of 1, with its interval.
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    level: float | None = None  # of the interval
    model: str | None = None  # path of the GGUF file to use
    run_dir: str | None = None
    reason: str | None = None  # why it stopped or failed, in a line


class Notice(_Event):
    """Something a person should read; ``warning`` where it may change what they do."""

    kind: Literal["notice"] = "notice"
    level: Literal["info", "warning"] = "info"
    message: str


Event = Annotated[
    RunStarted
    | Planned
    | StageStarted
    | StageProgress
    | StageFinished
    | RoundStarted
    | Scored
    | Usage
    | Steered
    | Notice
    | RunFinished,
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
