"""The state that displays render, kept up to date by events: of one stage, and of a whole run."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from localdistill.display.curve import Curve
from localdistill.display.words import duration
from localdistill.events import (
    Event,
    Notice,
    Planned,
    RoundStarted,
    RunFinished,
    RunStarted,
    Scalar,
    Scored,
    StageFinished,
    StageProgress,
    StageStarted,
    Steered,
    Usage,
)


@dataclass
class StageState:
    """One stage, as far as it has got. Times are seconds of the clock that its run is told by."""

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
    told_at: float = 0.0

    def take(self, event: StageProgress, now: float) -> None:
        """Bring it up to date."""
        self.done = event.done
        self.info = dict(event.info)
        self.total = self.total if event.total is None else event.total
        self.told_left, self.estimated = event.seconds_left, event.estimated
        self.told_at = now

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


@dataclass(frozen=True, eq=False)  # by identity: what is drawn of one is kept by it
class Done:
    """A stage that has finished in this call; times as in ``StageState``, pauses left out."""

    stage: str
    title: str
    summary: dict[str, Scalar]
    skipped: bool  # an earlier call had finished it
    round: int
    began: float
    ended: float
    units: int  # that this call has done


@dataclass(frozen=True)
class Tally:
    """Programs of the last test, by what became of them."""

    title: str
    passed: int
    failed: int  # in whatever way but the next
    timeouts: int


@dataclass
class RunState:
    """What a person can be shown of a run."""

    run: RunStarted | None = None  # the call that is shown
    began: float = 0.0  # of it
    planned: Planned | None = None
    round: int = 0
    rounds: int = 0
    stages: dict[str, StageState] = field(default_factory=dict)  # by name, as they began last
    history: list[tuple[str, dict[str, Scalar], bool]] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    noticed: list[float] = field(default_factory=list)  # when; seconds since the call began
    tally: Tally | None = None
    selection: dict[str, Scalar] | None = None  # of the last selection: kept, and why not
    loss: Curve = field(default_factory=Curve)  # of the last training, by its share
    held_out: Curve = field(default_factory=Curve)
    scores: dict[tuple[str, str], Scored] = field(default_factory=dict)  # by problem set, model
    usage: Usage | None = None
    paused_since: float | None = None
    paused_s: float = 0.0  # of pauses that are over
    stopping: bool = False
    end: RunFinished | None = None
    ended: float = 0.0

    def take(self, event: Event, at: float | None = None) -> None:  # noqa: C901, PLR0912 - kinds
        """Bring the state up to date with ``event``, which happened ``at`` (default: now)."""
        now = time.monotonic() if at is None else at
        match event:
            case RunStarted():
                fresh = RunState(run=event, began=now, rounds=event.rounds, scores=self.scores)
                vars(self).update(vars(fresh))
            case Planned():
                self.planned = event
            case RoundStarted():
                self.round, self.rounds = event.round, event.rounds
            case StageStarted():
                self._start(event, now)
            case StageProgress():
                if event.stage in self.stages:
                    self.stages[event.stage].take(event, now)
                    self._look_at(event)
            case StageFinished():
                self._finish(event, now)
            case Scored():
                if event.k == 1:
                    self.scores[event.problem_set, event.model] = event
            case Usage():
                self.usage = event
            case Steered():
                self._steer(event, now)
            case Notice():
                if all(event.message != notice.message for notice in self.notices):
                    self.notices.append(event)
                    self.noticed.append(now - self.began)
            case RunFinished():
                self._steer(Steered(wish="resume"), now)
                self.end, self.ended = event, now

    def at_work(self) -> list[StageState]:
        """The stages at work, in the order in which they began: two where one follows another."""
        return [stage for stage in list(self.stages.values()) if not stage.finished]

    def working_time(self, now: float) -> float:
        """``now`` on a clock that stands still in pauses, and after the end."""
        if self.end is not None:
            now = self.ended
        if self.paused_since is not None:
            now = self.paused_since
        return now - self.paused_s

    def _start(self, event: StageStarted, now: float) -> None:
        self.stages.pop(event.stage, None)
        began = self.working_time(now)
        self.stages[event.stage] = StageState(
            event.stage, event.title, event.total, event.done, event.unit, began, event.done
        )
        if event.stage == "train":
            self.loss, self.held_out = Curve(), Curve()

    def _look_at(self, event: StageProgress) -> None:
        stage, info = self.stages[event.stage], event.info
        passed, failed, timeouts = (info.get(name) for name in ("passed", "failed", "timeouts"))
        if isinstance(passed, int) and isinstance(failed, int):
            late = timeouts if isinstance(timeouts, int) else 0
            self.tally = Tally(stage.title, passed, failed, late)
        share = stage.done / stage.total if stage.total else 0.0
        for name, curve in (("loss", self.loss), ("held-out loss", self.held_out)):
            value = info.get(name)
            if isinstance(value, float | int):
                curve.add(share, float(value))

    def _finish(self, event: StageFinished, now: float) -> None:
        stage = self.stages.get(event.stage)
        title, summary = stage.title if stage else event.stage, dict(event.summary)
        self.history.append((title, summary, event.skipped))
        clock = self.working_time(now)
        began, units = (stage.began, stage.done - stage.first) if stage else (clock, 0)
        if stage is not None:
            stage.finished = True
            if stage.total is not None and not stage.done:
                units = stage.total
        done = Done(event.stage, title, summary, event.skipped, self.round, began, clock, units)
        self.done.append(done)
        passed, total = summary.get("passed", 0), summary.get("completions")
        if event.stage == "verify" and isinstance(total, int) and isinstance(passed, int):
            late = summary.get("timeout", 0)
            late = late if isinstance(late, int) else 0
            self.tally = Tally(title, passed, total - passed - late, late)
        if event.stage == "select":
            self.selection = summary

    def _steer(self, event: Steered, now: float) -> None:
        if event.wish == "stop":
            self.stopping = True
        elif event.wish == "pause" and self.paused_since is None:
            self.paused_since = now
        elif self.paused_since is not None:
            self.paused_s += now - self.paused_since
            self.paused_since = None
