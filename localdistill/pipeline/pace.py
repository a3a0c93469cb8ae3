"""How long a round's stages took in earlier calls, from their events: for the time that is left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localdistill.event_log import recorded
from localdistill.events import (
    Event,
    Pace,
    RoundStarted,
    RunStarted,
    StageFinished,
    StageProgress,
    StageStarted,
    Steered,
)
from localdistill.work_clock import WorkClock

_STAGES = {"generate", "verify", "select", "train", "export"}


def earlier(events: Path) -> dict[str, Pace]:
    """By stage: what all calls that ``events.jsonl`` tells of took for it, in its last round.

    The round is the last in which some of its work was done. Pauses are left out, and a call that
    was killed counts up to its last sign of life.
    """
    reader, work = _Reader(), WorkClock()
    for row in recorded(events):
        begins = isinstance(row.event, RunStarted)
        reader.take(row.event, work.at(row.at, begins=begins))
    reader.close()
    return reader.found


@dataclass
class _Open:
    """A stage at work; moments are seconds of work without pauses."""

    began: float
    last: float
    first: int  # units that were done before
    done: int
    total: int | None


class _Reader:
    def __init__(self) -> None:
        self.found: dict[str, Pace] = {}
        self._round = 0
        self._open: dict[str, _Open] = {}
        self._paused_since: float | None = None
        self._paused_s = 0.0

    def take(self, event: Event, moment: float) -> None:
        """Take the next event, which happened after ``moment`` seconds of work."""
        now = (moment if self._paused_since is None else self._paused_since) - self._paused_s
        match event:
            case RunStarted():
                self.close()
                if self._paused_since is not None:  # a paused run that was killed is paused no more
                    self._resume(moment)
            case RoundStarted():
                self.close()
                self._round = event.round
            case StageStarted() if event.stage in _STAGES and not _is_beside(event):
                self._end(event.stage)
                self._open[event.stage] = _Open(now, now, event.done, event.done, event.total)
            case StageProgress() if stage := self._open.get(event.stage):
                stage.last, stage.done = now, event.done
                stage.total = stage.total if event.total is None else event.total
            case StageFinished() if stage := self._open.get(event.stage):
                stage.last = now
                if stage.done <= stage.first:  # it has told of no progress
                    stage.done = stage.total or stage.done
                self._end(event.stage, finished=True, skipped=event.skipped)
            case Steered(wish="pause") if self._paused_since is None:
                self._paused_since = moment
            case Steered(wish="resume") if self._paused_since is not None:
                self._resume(moment)

    def close(self) -> None:
        """What is still open was ended with its call, or without a word."""
        for name in list(self._open):
            self._end(name)

    def _resume(self, moment: float) -> None:
        self._paused_s += moment - (self._paused_since or 0.0)
        self._paused_since = None

    def _end(self, name: str, *, finished: bool = False, skipped: bool = False) -> None:
        stage = self._open.pop(name, None)
        if stage is None or skipped or stage.done <= stage.first:
            return
        before = self.found.get(name)
        if before is None or before.round != self._round:
            before = Pace(round=self._round)
        self.found[name] = Pace(
            round=self._round,
            seconds=before.seconds + stage.last - stage.began,
            units=before.units + stage.done - stage.first,
            whole=before.whole or finished,
        )


def _is_beside(event: StageStarted) -> bool:
    """Whether it trains or exports beside a round: a strategy of --compare, or a control."""
    return event.stage in {"train", "export"} and event.title != event.stage
