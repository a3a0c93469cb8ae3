"""What each stage took in time and tokens, from the run's events; and how far the run has got."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from localdistill.event_log import recorded
from localdistill.events import (
    Event,
    Notice,
    RoundStarted,
    RunStarted,
    StageFinished,
    StageStarted,
)
from localdistill.work_clock import WorkClock

_TOKENS = ("tokens", "trained tokens")  # as stages call them in their summaries


@dataclass
class Cost:
    """Of one stage of one round; parts of an evaluation are added up."""

    round: int
    title: str
    seconds: float | None = None  # None: not known
    tokens_by_part: dict[str, int] = field(default_factory=dict)

    @property
    def tokens(self) -> int | None:
        """Sampled or trained, over all parts; None where it works on none."""
        return sum(self.tokens_by_part.values()) if self.tokens_by_part else None


@dataclass
class Costs:
    """What the events tell."""

    stages: list[Cost] = field(default_factory=list)  # in the order in which they began
    notices: list[Notice] = field(default_factory=list)  # each once
    began: float | None = None  # Unix time in seconds
    last: float | None = None
    round: int = 0
    stage: str | None = None  # that began last

    @property
    def seconds(self) -> float | None:
        """At work: pauses between one call and the next are not in it."""
        known = [cost.seconds for cost in self.stages if cost.seconds is not None]
        return sum(known) if known else None

    @property
    def tokens(self) -> int:
        """Sampled and trained."""
        return sum(cost.tokens or 0 for cost in self.stages)


def read(path: Path) -> Costs:
    """From ``events.jsonl``; lines that are no event are passed over."""
    clock = _Clock()
    for row in recorded(path):
        clock.take(row.at, row.event)
    clock.stop_all()
    return clock.costs


@dataclass
class _Open:
    """A stage at work: what it is booked on, since when, and when it was last heard of.

    Times are seconds of work (``WorkClock``).
    """

    cost: Cost
    part: str
    began: float
    last: float


class _Clock:
    """Adds up what lies between a stage's start and the last that was heard of it.

    A run that was killed left its stage open; the time until it is begun again was no work. Nor
    was that in which the machine slept.
    """

    def __init__(self) -> None:
        self.costs = Costs()
        self._work = WorkClock()
        self._open: dict[str, _Open] = {}

    def take(self, unix: float, event: Event) -> None:
        costs = self.costs
        costs.began = unix if costs.began is None else costs.began
        costs.last = unix
        at = self._work.at(unix, begins=isinstance(event, RunStarted))
        match event:
            case RoundStarted():
                self.stop_all()
                costs.round = event.round
            case StageStarted():
                self._stop(event.stage)
                title, _, part = event.title.partition(": ")
                costs.stage = title
                self._open[event.stage] = _Open(self._cost(title), part, at, at)
            case Notice():
                if event not in costs.notices:
                    costs.notices.append(event)
            case StageFinished():
                self._finish(at, event)
            case _:
                stage = self._open.get(getattr(event, "stage", ""))
                if stage is not None:
                    stage.last = at

    def stop_all(self) -> None:
        for name in list(self._open):
            self._stop(name)

    def _finish(self, at: float, event: StageFinished) -> None:
        stage = self._open.get(event.stage)
        if stage is None:
            return
        stage.last = at
        for name in _TOKENS:
            tokens = event.summary.get(name)
            if isinstance(tokens, int):  # of the whole file, also where it was only gone on with
                stage.cost.tokens_by_part[stage.part] = tokens
        self._stop(event.stage)

    def _stop(self, name: str) -> None:
        stage = self._open.pop(name, None)
        if stage is None:
            return
        stage.cost.seconds = (stage.cost.seconds or 0.0) + stage.last - stage.began

    def _cost(self, title: str) -> Cost:
        number = 0 if title.startswith(("prepare", "evaluate (eval")) else self.costs.round
        for cost in self.costs.stages:
            if (cost.round, cost.title) == (number, title):
                return cost
        self.costs.stages.append(Cost(number, title))
        return self.costs.stages[-1]
