"""Keeps a run within its ``--hours``: tells stages when to end, and notes what is left out.

Without hours every stage has all the time that it takes. The arithmetic is in ``time_plan``; this
is where a clock is looked at.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from localdistill import pruning, time_plan
from localdistill.deadline import Deadline, OutOfTime
from localdistill.durable import write_atomically
from localdistill.errors import LocaldistillError
from localdistill.events import Callback, Notice
from localdistill.jsonl import read_rows
from localdistill.markers import done_facts, is_done, mark_done
from localdistill.outcomes import Omission, Omitted
from localdistill.run_dir import RoundDir
from localdistill.time_plan import Measured
from localdistill.types import Problem

# Until a generation of this call has been timed: what a stage's process takes to begin its work.
_START_S = 10.0
# How long a stage that is told to end may take for it.
_STOP_S = 10.0
# Testing, as a share of drawing, where that was not timed.
_TESTING = 0.3

Started = Callable[[subprocess.Popen[bytes]], None]


class Timekeeper:
    """The time of one call's rounds.

    Args:
        deadline: the end of the run's time, if there is one.
        omitted: ``omitted.json``, which is written anew by each call.
        callback: is told what is left out.
    """

    def __init__(self, deadline: Deadline, omitted: Path, callback: Callback) -> None:
        self.deadline = deadline
        self._path, self._callback = omitted, callback
        self._bytes = 0
        self._items: list[Omission] = []
        self._given = float("inf")  # seconds of this round, and when it began
        self._began: float | None = None
        self._last: float | None = None  # seconds of the round before
        self._speed: Measured | None = None
        self._start = _START_S

    def know(self, gguf: Path, rounds: int = 1) -> None:
        """Look at the size of the run's model, and begin to note what is left out."""
        if self.limited:
            self._bytes = gguf.stat().st_size
            self.deadline.allow_a_look(self._bytes, rounds)
            self._path.unlink(missing_ok=True)

    @property
    def limited(self) -> bool:
        """Whether there is an end."""
        return self.deadline.exists

    @property
    def omitted(self) -> Omitted | None:
        """What this call, and the stages that earlier ones have finished, have left out."""
        hours = self.deadline.hours
        return None if hours is None else Omitted(hours=hours, items=self._items)

    def omit(self, stage: str, what: str) -> None:
        """Note, and tell, that something is left out."""
        item = Omission(what=what, stage=stage)
        if self.deadline.hours is None or item in self._items:
            return
        self._items.append(item)
        self._callback(Notice(level="warning", message=f"Left out for want of time: {what}"))
        found = Omitted(hours=self.deadline.hours, items=self._items)
        write_atomically(self._path, found.model_dump_json(indent=2) + "\n")

    def begins(self, number: int, rounds: int, paths: RoundDir) -> bool:
        """Whether round ``number`` is begun, or there already; its time is chosen."""
        if not self.limited or pruning.is_over(paths):
            return True
        left = self.deadline.left()
        given = time_plan.round_seconds(left, rounds - number + 1, self._last, self._bytes)
        if given <= 0:
            which = f"Round {number}" if number == rounds else f"Rounds {number} to {rounds}"
            least = time_plan.for_people(time_plan.least_seconds(self._bytes))
            text = f"{which} of {rounds}: {time_plan.for_people(max(0.0, left))} were left, and one"
            self.omit("round", f"{text} takes at least {least}, or as long as the one before.")
            return False
        self._given, self._began = given, self.deadline.now()
        return True

    def ends(self) -> None:
        """A round is through."""
        if self._began is not None:
            self._last, self._began = self.deadline.now() - self._began, None

    def generate_until(self) -> float | None:
        """The moment at which no new problem is begun; None: there is no limit."""
        return self.deadline.moment(time_plan.generate_seconds(self._given))

    @contextlib.contextmanager
    def measured(self, completions: Path) -> Iterator[Callable[[], None]]:
        """Measure how fast completions are drawn and tested; call what it gives between the two."""
        made, began = is_done(completions), self.deadline.now()
        drawn = [began]
        yield lambda: drawn.append(self.deadline.now())
        if self.limited and not made and is_done(completions):
            facts = done_facts(completions)
            if not facts["tokens_per_second"]:  # an earlier call has drawn them all
                return
            drawing = facts["tokens"] / facts["tokens_per_second"]
            seconds = drawing + self.deadline.now() - drawn[-1]
            self._speed = Measured(facts["completions"], seconds)
            self._start = max(0.0, drawn[-1] - began - drawing)

    def note_sampled(self, number: int, completions: Path) -> None:
        """Look at what a generation of round ``number`` has done and left out."""
        if not self.limited or not is_done(completions):
            return
        facts = done_facts(completions)
        if facts.get("left_out"):
            text = f"Round {number}: {facts['left_out']} problems of train were not sampled."
            self.omit("generate", text)
        if self._speed is None and facts["completions"] and facts["tokens_per_second"]:
            drawing = facts["tokens"] / facts["tokens_per_second"]
            self._speed = Measured(facts["completions"], (1 + _TESTING) * drawing)

    def note_trained(self, number: int, summary: Mapping[str, Any]) -> None:
        """Look at whether a training of round ``number`` was cut short; ``summary`` is its own."""
        if summary.get("out_of_time"):
            text = f"Round {number}: training ended after step {summary['steps']}"
            self.omit("train", f"{text} of {summary['planned_steps']}.")

    def train_until(self) -> float | None:
        """The moment at which training ends; None: there is no limit.

        Raises:
            OutOfTime: there would be no time left to export what it gives.
        """
        if not self.limited:
            return None
        left = self._left()
        seconds = time_plan.train_seconds(left, self._given, self._bytes)
        if left < time_plan.least_seconds(self._bytes) / 2:
            raise OutOfTime("there was no time left to train")
        return self.deadline.moment(seconds)

    def _left(self) -> float:
        """Seconds of the round at work, or of the run where there is none."""
        left = self.deadline.left()
        if self._began is not None:
            left = min(left, self._given - (self.deadline.now() - self._began))
        return left

    def problems(self, whole: Path, part: Path, drawn: int, models: int, share: float) -> None:
        """Choose the problems that models are compared on, to fit into ``share`` of what is left.

        They are drawn at random, before anything is sampled, and are the same ones from then on:
        ``part`` holds them where they are not all. ``drawn``: completions of a problem, of all
        ``models`` together.

        Raises:
            OutOfTime: there is time for too few of them to show anything.
        """
        rows = read_rows(whole, Problem)
        speed = self._speed or Measured(1, 1.0)
        # What is left of the round, where there are others to come.
        left = share * self._left() - models * self._start
        count = time_plan.problems_that_fit(left, len(rows), drawn, speed)
        if count == 0:
            raise OutOfTime(f"there was no time for a comparison on {whole.stem}")
        if count == len(rows):
            return
        chosen = set(time_plan.draw([row.id for row in rows], count, f"{whole.stem} part"))
        lines = [row.model_dump_json() + "\n" for row in rows if row.id in chosen]
        write_atomically(part, "".join(lines))
        mark_done(part, count=len(lines))
        self.note_part(len(rows), len(lines), whole.stem)

    def note_part(self, total: int, count: int, name: str) -> None:
        """Note that models are compared on ``count`` of ``total`` problems of split ``name``."""
        text = f"{total - count} of the {total} problems of {name}: the models are compared on"
        self.omit("evaluate", f"{text} {count}, drawn at random before any was sampled.")

    @contextlib.contextmanager
    def watched(self) -> Iterator[Started | None]:
        """Gives what a stage's process is to be handed to, or None where there is no limit.

        It is ended some seconds after the end of the run's time: so the run ends, whatever takes
        longer than was reckoned.

        Raises:
            OutOfTime: in place of the error that this makes.
        """
        seconds = self.deadline.grace()
        if seconds is None:
            yield None
            return
        watch = _Watch(seconds)
        try:
            yield watch.take
        except LocaldistillError as error:
            if watch.fired:
                raise OutOfTime("a stage took longer than there was time") from error
            raise
        finally:
            watch.cancel()


class _Watch:
    def __init__(self, seconds: float) -> None:
        self.fired = False
        self._children: list[subprocess.Popen[bytes]] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def take(self, child: subprocess.Popen[bytes]) -> None:
        self._children.append(child)

    def cancel(self) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        self.fired = True
        for child in self._children:
            child.terminate()
        for child in self._children:
            try:
                child.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                child.kill()
