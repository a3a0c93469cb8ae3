"""A short run of the seed model for ``chaos.py``: started, watched, and what came out of it."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

PROGRAM = [sys.executable, "-c", "from localdistill.cli import main; main()"]
# Everything is named that the memory or processors that are free now would choose otherwise.
SETTINGS = {
    "limit": 16,
    "deterministic": True,
    "generate.samples": 4,
    "generate.max_tokens": 96,
    "generate.slots": 8,
    "generate.weights": "f16",
    "generate.threads": 1,  # threads wait for the slowest one, which is long on a busy machine
    "verify.workers": 2,
    "verify.sandbox": "local",
    "train.epochs": 2,
    "train.checkpoint_every": 1,
    "train.micro_batch_tokens": 2048,
    "train.keep_activations": True,
    "evaluate.samples": 2,
    "evaluate.decode": "same",
    "evaluate.general": False,
    "evaluate.max_tokens": 96,
}
_SLOWEST_S = 1800.0  # for a run that takes half a minute when it is alone
_numbers = itertools.count()  # of containers


Start = tuple[float, dict[str, Any]]  # of a stage: seconds, and its event
Listener = Callable[["Call"], None]


@dataclass(frozen=True)
class Moment:
    """A part of the run to strike in: from one stage's beginning to the next one's."""

    number: int  # stages that had begun
    name: str
    stage: str  # "" before the first one
    seconds: float  # how long it took undisturbed

    def is_reached(self, starts: list[Start]) -> bool:
        """Whether it is among the stages that have begun."""
        return self.number == 0 or any(name_of(event) == self.name for _, event in starts)


@dataclass
class Call:
    """One call of the command, in a session of its own; its events are read as they come."""

    arguments: list[str]
    log: Path  # for what it says on standard error
    began: float = field(default_factory=time.monotonic)
    starts: list[Start] = field(default_factory=list)
    round: int = 0
    on_start: Listener | None = None  # hears that a stage has begun
    container: str | None = None  # the name of the one that it runs in

    def __post_init__(self) -> None:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.arguments, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        self._changed = threading.Condition()
        self._over = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            self._hear()
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()

    def _hear(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                event = json.loads(line)
            except ValueError:  # torn by a kill
                continue
            with self._changed:
                if event.get("kind") == "round_started":
                    self.round = event["round"]
                if event.get("kind") == "stage_started":
                    event["round"] = self.round
                    self.starts.append((time.monotonic() - self.began, event))
                    if self.on_start is not None:
                        self.on_start(self)
                self._changed.notify_all()

    def reach(self, moment: Moment, seconds: float) -> bool:
        """Wait until ``moment`` has lasted for ``seconds``; False if the call ended before."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or moment.is_reached(self.starts), _SLOWEST_S)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def tree(self) -> list[psutil.Process]:
        """Its process and all below it."""
        try:
            top = psutil.Process(self.process.pid)
            return [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    @contextlib.contextmanager
    def stand_still(self) -> Iterator[int]:
        """Nothing of it goes on meanwhile; yields how many processes that are."""
        if self.container is not None:
            processes = docker("top", self.container).count("\n") - 1
            docker("pause", self.container)
            try:
                yield processes
            finally:
                docker("unpause", self.container)
            return
        tree = self.tree()
        for process in tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        try:
            yield len(tree)
        finally:
            for process in reversed(tree):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    def end(self) -> int:
        """Wait for its end; returns its exit code."""
        code = self.process.wait(_SLOWEST_S)
        self._reader.join()
        return code

    def said(self) -> str:
        """What it said on standard error."""
        return self.log.read_text(errors="replace")


@dataclass(frozen=True)
class Command:
    """The command that makes a run; in a container where there is an image for it."""

    rounds: int
    settings: list[str]
    image: str | None = None

    def call(self, directory: Path, log: Path, on_start: Listener | None = None) -> Call:
        """Make, or go on with, the run in ``directory``."""
        given = [f"{name}={json.dumps(value)}" for name, value in SETTINGS.items()]
        pairs = [part for each in (*given, *self.settings) for part in ("--set", each)]
        run = ["run", *pairs, "--rounds", str(self.rounds), "--progress", "json", "--run-dir"]
        if self.image is None:
            return Call([*PROGRAM, *run, str(directory)], log, on_start=on_start)
        name = f"chaos-{os.getpid()}-{next(_numbers)}"
        engine = ["docker", "run", "--rm", "--name", name, "--network", "none"]
        folder = f"{directory.parent}:/data"
        there = [*engine, "--volume", folder, self.image, *run, f"/data/{directory.name}"]
        return Call(there, log, on_start=on_start, container=name)


def docker(*arguments: str) -> str:
    """What ``docker`` prints."""
    command = ["docker", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def moments(call: Call, ended: float) -> list[Moment]:
    """The parts of an undisturbed ``call`` that took ``ended`` seconds."""
    starts = [(0.0, {"title": "before the first stage", "stage": "", "round": 0}), *call.starts]
    ends = [began for began, _ in starts[1:]] + [ended]
    return [
        Moment(number, name_of(event), event["stage"], end - began)
        for number, ((began, event), end) in enumerate(zip(starts, ends, strict=True))
    ]


def name_of(event: dict[str, Any]) -> str:
    """What a stage that begins is called."""
    return f"round {event['round']}, {event['title']}"


def copier(directory: Path, snapshots: Path) -> Listener:
    """Copies ``directory`` to ``snapshots/N`` when stage N begins, while all stands still."""

    def copy(call: Call) -> None:
        with call.stand_still():
            shutil.copytree(directory, snapshots / str(len(call.starts)))

    return copy


def outcome(directory: Path) -> dict[str, str]:
    """What must be the same however often the run in ``directory`` was disturbed."""
    found = {}
    for folder in sorted((directory / "rounds").iterdir()):
        for name in ("completions.jsonl", "selected.jsonl", "model.gguf"):
            if (folder / name).is_file():
                found[f"{folder.name}/{name}"] = _digest((folder / name).read_bytes())
        verdicts = [json.loads(line) for line in (folder / "verdicts.jsonl").open()]
        rows = sorted((row["problem_id"], row["sample"], row["status"]) for row in verdicts)
        found[f"{folder.name}/verdicts"] = _digest(json.dumps(rows).encode())
    result = json.loads((directory / "evaluation.json").read_bytes())
    scores = [(result[which] or {}).get("counts") for which in ("candidate", "baseline")]
    found["scores"] = _digest(json.dumps(scores, sort_keys=True).encode())
    gains = [result.get(name) for name in ("gain", "gain_low", "gain_high")]
    found["verdict"] = f"{result['verdict']} {gains}"
    return found


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
