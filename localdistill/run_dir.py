"""The run directory: where everything of a run stands, and who may write in it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from localdistill import config as configuration
from localdistill.config import Config
from localdistill.errors import ConfigError
from localdistill.jsonl import write_atomically

# How long the process of a stage that lost its run may need to die (it is killed by the kernel).
_ORPHAN_WAIT_S = 60.0


class RoundDir:
    """Paths of one round."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.completions = path / "completions.jsonl"
        self.verdicts = path / "verdicts.jsonl"
        self.selected = path / "selected.jsonl"
        self.adapter = path / "adapter"
        self.merged = path / "merged"
        self.model = path / "model.gguf"
        self.evaluation = path / "evaluation.json"


class RunDir:
    """One run's directory, locked against a second run for as long as the object is open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.toml"
        self.manifest = path / "manifest.json"
        self.events = path / "events.jsonl"
        self.log = path / "log.txt"
        self.start = path / "start"
        self.evaluation = path / "evaluation.json"
        self._lock = -1
        self._stage_lock = -1

    def problems(self, split: str) -> Path:
        """The problem set of ``split`` (train, dev, eval) in the native format."""
        return self.path / "problems" / f"{split}.jsonl"

    def round(self, number: int) -> RoundDir:
        """Round ``number``, from 1."""
        return RoundDir(self.path / "rounds" / f"{number:02d}")

    def scores(self, split: str, model: str) -> Path:
        """Completions and verdicts of ``model`` (``base``, ``round-01``) on ``split``."""
        return self.path / "scores" / split / model

    @property
    def stage_lock(self) -> int:
        """A descriptor that stage processes inherit: its lock is free when all of them are gone."""
        return self._stage_lock

    def open(self) -> RunDir:
        """Create the directory if need be and lock it.

        Raises:
            ConfigError: it cannot be written, or another run works in it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / "run.lock", os.O_RDWR | os.O_CREAT, 0o644)
            self._stage_lock = os.open(self.path / "stage.lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            message = (
                f"{self.path}: cannot be written ({error.strerror}); choose another --run-dir."
            )
            raise ConfigError(message) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = (
                f"{self.path}: another run works in it; wait for it or choose another --run-dir."
            )
            raise ConfigError(message) from error
        self._wait_for_orphans()
        return self

    def _wait_for_orphans(self) -> None:
        # After `kill -9` of a run the kernel kills its stage's process too, but not at once, and
        # two writers of one file would tear it.
        deadline = time.monotonic() + _ORPHAN_WAIT_S
        while True:
            try:
                fcntl.flock(self._stage_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    message = f"{self.path}: a stage of an earlier run is still at work in it."
                    raise ConfigError(f"{message} End that process first.") from error
                time.sleep(0.1)

    def close(self) -> None:
        """Give the locks back."""
        for descriptor in (self._lock, self._stage_lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._lock = self._stage_lock = -1

    def __enter__(self) -> RunDir:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def adopt(self, config: Config) -> Config:
        """Save ``config`` in a new directory, or check that a continued one was begun with it.

        What the machine chose at the beginning (slots, threads, workers) is kept on continuing.

        Raises:
            ConfigError: the directory was begun with another configuration, or holds other files.
        """
        if not self.config.exists():
            foreign = {entry.name for entry in self.path.iterdir()} - {"run.lock", "stage.lock"}
            foreign -= {"config.toml.tmp", self.log.name, self.events.name}
            if foreign:
                message = f"{self.path}: holds other files ({sorted(foreign)[0]}, ...) and no run."
                raise ConfigError(f"{message} Choose an empty --run-dir.")
            chosen = freeze(config)
            write_atomically(self.config, chosen.to_toml())
            return chosen
        saved = configuration.build(configuration.read_toml(self.config))
        wanted = freeze(config, saved)
        differing = configuration.differences(saved, wanted)
        if differing and not self.manifest.exists():
            # Nothing has been drawn yet: most likely the first call had a mistake in it.
            for made in (self.problems("train").parent, self.start):
                shutil.rmtree(made, ignore_errors=True)
            chosen = freeze(config)
            write_atomically(self.config, chosen.to_toml())
            return chosen
        if differing:
            message = f"{self.path}: was begun with another configuration: {'; '.join(differing)}."
            raise ConfigError(f"{message} Choose another --run-dir, or the old settings.")
        return saved

    def write_manifest(self, facts: dict[str, Any]) -> None:
        """Write the manifest, or check that what it pins has not changed under a continued run.

        Raises:
            ConfigError: a model or a problem set is not the one that the run was begun with.
        """
        if self.manifest.exists():
            saved = json.loads(self.manifest.read_text(encoding="utf-8"))
            for name, value in facts["hashes"].items():
                if saved["hashes"].get(name) != value:
                    message = f"{self.path}: {name} has changed since the run was begun."
                    raise ConfigError(f"{message} Restore it, or choose another --run-dir.")
            return
        write_atomically(self.manifest, json.dumps(facts, indent=2, sort_keys=True) + "\n")


def freeze(config: Config, saved: Config | None = None) -> Config:
    """Replace what is left to the machine by numbers: those of ``saved``, else this machine's."""
    cores = len(os.sched_getaffinity(0))
    generate, verify = config.generate, config.verify
    old_generate = saved.generate if saved else None
    old_verify = saved.verify if saved else None
    slots = generate.slots or (old_generate.slots if old_generate else None) or 16
    threads = generate.threads or (old_generate.threads if old_generate else None) or cores
    workers = verify.workers or (old_verify.workers if old_verify else None) or cores
    return config.model_copy(
        update={
            "generate": generate.model_copy(update={"slots": slots, "threads": threads}),
            "verify": verify.model_copy(update={"workers": workers}),
        }
    )
