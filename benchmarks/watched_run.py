"""A run that only tells: its screen is as full as a real run's in its second round.

For ``watchers.py`` and ``watchers_windows.py``.
"""

from __future__ import annotations

import contextlib
import math
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localdistill.events import (
    BEAT_S,
    Event,
    Notice,
    Planned,
    Recorded,
    RoundStarted,
    RunStarted,
    Scored,
    StageFinished,
    StageProgress,
    StageStarted,
    Usage,
)
from localdistill.jsonl import JsonlWriter
from localdistill.run_dir import RunDir

EXAMPLES = 20_000  # of a training: hours of it
BEFORE = 1000  # beats of the training that were before the first mark
USAGE_EVERY = 5  # beats, as a run looks at memory


class Telling(threading.Thread):
    """Writes how a training goes on, once a beat as a run does, with a mark that counts them."""

    def __init__(self, writer: JsonlWriter) -> None:
        super().__init__(daemon=True)
        self._writer = writer
        self.written: list[float] = []  # when each mark was, in Unix time
        self._over = threading.Event()

    def run(self) -> None:
        due = time.monotonic() + BEAT_S
        while not self._over.wait(max(0.0, due - time.monotonic())):
            mark = len(self.written)
            told: list[Event] = [_progress(mark)]
            if mark % USAGE_EVERY == 0:
                told.append(_usage(mark))
            self.written.append(time.time())
            _write(self._writer, told)
            due = time.monotonic() + BEAT_S

    def end(self) -> None:
        """Write no more."""
        self._over.set()
        if self.ident is not None:
            self.join()


@contextlib.contextmanager
def watched_run() -> Iterator[tuple[RunDir, Telling]]:
    """A directory in which a run seems to be at work, and who tells of it when it is started."""
    with tempfile.TemporaryDirectory() as folder:
        directory = RunDir(Path(folder) / "run")
        with directory, JsonlWriter(directory.events) as writer:
            _write(writer, history(directory))
            telling = Telling(writer)
            try:
                yield directory, telling
            finally:
                telling.end()


def _write(writer: JsonlWriter, events: list[Event]) -> None:
    for event in events:
        writer.write(Recorded(at=time.time(), event=event))


def history(directory: RunDir) -> list[Event]:
    """All that has happened by the middle of the training of the second round."""
    log, where = str(directory.log), str(directory.path)
    said = (
        "30 of 301 problems (1,952 answer tokens) are held out: their loss tells whether it helps."
    )
    events: list[Event] = [
        RunStarted(model="qwen2.5-coder-7b-q4_k_m.gguf", directory=where, log=log, rounds=3),
        Notice(
            level="warning", message="1 problem of train is one of eval in other words: left out."
        ),
        Notice(
            message="Sandbox tier 3 (namespaces, user ids, Landlock, seccomp). Candidates run here."
        ),
        Planned(dev_completions=600, final_completions=800),
        *_stage("prepare", 340, {"architecture": "qwen2", "tensors": 340}),
    ]
    for number in (1, 2):
        events += [RoundStarted(round=number, rounds=3), *_drawn()]
        if number == 1:
            events += [
                _begun("train", EXAMPLES),
                Notice(message=said),
                StageFinished(stage="train", summary={"examples": 487, "last loss": 0.036}),
                *_stage("export", 340, {"tensors changed": 196, "in all": 340}),
                *_compared("base", 0, 0.57),
                *_compared("round-01", 1, 0.63),
            ]
    before = [_progress(mark) for mark in range(-BEFORE, 0)]
    return [*events, _begun("train", EXAMPLES), *before]


def _drawn() -> list[Event]:
    verdicts: dict[str, Any] = {"completions": 1592, "failed": 800, "passed": 687, "timeout": 105}
    kept: dict[str, Any] = {
        "kept": 487,
        "problems": "301 of 398",
        "failed tests": 904,
        "repeats": 200,
    }
    return [
        *_stage("generate", 1592, {"completions": 1592, "tokens": 63640, "tokens/s": 3144.0}),
        *_stage("verify", 1592, verdicts),
        *_stage("select", 1592, kept),
    ]


def _compared(model: str, number: int, value: float) -> list[Event]:
    events: list[Event] = []
    for decoding in ("greedy", "temperature 0.6", "temperature 1"):
        for step in ("generate", "verify"):
            title = f"evaluate (dev): {step}, {model}, {decoding}"
            events += _stage("evaluate", 240, {"completions": 240, "passed": 138}, title)
    low, high = value - 0.08, value + 0.08
    score = Scored(problem_set="dev", model=model, round=number, value=value, low=low, high=high)
    return [*events, score]


def _stage(name: str, total: int, summary: dict[str, Any], title: str = "") -> list[Event]:
    return [_begun(name, total, title), StageFinished(stage=name, summary=summary)]


def _begun(name: str, total: int, title: str = "") -> StageStarted:
    return StageStarted(stage=name, title=title or name, total=total, unit="examples")


def _progress(mark: int) -> StageProgress:
    beat = BEFORE + mark
    info: dict[str, Any] = {
        "mark": mark if mark >= 0 else None,  # None: not shown
        "loss": round(0.5 * math.exp(-beat / 500) + 0.02 * (1 + math.sin(beat)), 4),
        "held-out loss": round(0.5 * math.exp(-(beat // 20) / 30), 4),
        "learning rate": 0.0002,
        "tokens/s": 3400 + beat % 7,
    }
    return StageProgress(stage="train", done=10 * beat, seconds_left=2000.0 - beat, info=info)


def _usage(mark: int) -> Usage:
    return Usage(memory_used=6_100_000_000 + 10_000_000 * mark, memory_total=25_300_000_000)
