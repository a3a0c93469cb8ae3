"""The run directory: where everything of a run stands, and who may write in it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import Any

import tomli_w

from localdistill import config as configuration
from localdistill import file_lock
from localdistill.config import Config
from localdistill.continuing import MAY_GROW, freeze, grown, with_sizes
from localdistill.durable import restore, spare, unfinished, write_twice
from localdistill.errors import ConfigError, GpuLost, StorageError, UserError
from localdistill.folders import make_folder
from localdistill.markers import is_done, marker

# What a call that was stopped at its very beginning leaves: no run, and nobody's files.
_MAY_BE_LEFT = {
    "run.lock", "stage.lock", "config.toml.tmp", "config.toml.copy", "config.toml.copy.tmp",
    "log.txt", "events.jsonl",
}  # fmt: skip


def label_of(number: int) -> str:
    """What the model of round ``number`` is called where models are compared."""
    return f"round-{number:02d}"


def round_of(label: str) -> int | None:
    """The round whose model is called ``label``; None: it is of none, but ``base``, say."""
    number = label.removeprefix("round-")
    return int(number) if number != label and number.isdigit() else None


class RoundDir:
    """Paths of one round."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.completions = path / "completions.jsonl"
        self.verdicts = path / "verdicts.jsonl"
        self.diversity = path / "diversity.json"  # of the samples that it began with
        self.selected = path / "selected.jsonl"
        self.accumulated = path / "accumulated.jsonl"  # with those of the rounds before
        self.adapter = path / "adapter"
        self.merged = path / "merged"
        self.model = path / "model.gguf"
        self.parity = path / "parity.json"  # what the gate of the export found
        self.began = path / "began.json"  # with which model
        self.rejected = path / "rejected.json"  # there where the round gave no model, and why
        self.unscored = path / "unscored.json"  # there where dev was left out for want of time
        self.evaluation = path / "evaluation.json"  # on dev
        self.trained = path / "trained.jsonl"  # of selected.jsonl, where only a part is trained on

    def arm(self, name: str) -> RoundDir:
        """Paths of another way to train from this round's completions."""
        return RoundDir(self.path / "arms" / name)


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
        self.regression = path / "regression.json"  # plain questions, before and after
        self.at_work = path / "run.lock"  # locked while a run lives
        self.stages_at_work = path / "stage.lock"  # locked while a run or a stage of it lives
        self.comparison = path / "comparison.json"  # of the selection lab
        self.controls = path / "controls"  # a folder for each
        self.omitted = path / "omitted.json"  # what there was no time for
        self.openings = path / "openings.jsonl"  # each time that eval was sampled for a new model
        self.stopped = path / "stopped.json"  # there where the run made fewer rounds, and why
        self._lock = -1
        self._stage_lock = -1
        # What ``open`` found, to tell what this call has made; None: there was no directory.
        self._found: set[str] | None = None
        self._made: list[Path] = []  # directories, the innermost first

    def problems(self, split: str) -> Path:
        """The problem set of ``split`` (train, dev, eval) in the native format."""
        return self.path / "problems" / f"{split}.jsonl"

    def round(self, number: int) -> RoundDir:
        """Round ``number``, from 1."""
        return RoundDir(self.path / "rounds" / f"{number:02d}")

    def scores(self, split: str, model: str) -> Path:
        """Completions and verdicts of ``model`` (``base``, ``round-01``) on ``split``.

        On dev they are in folders by the way of decoding, beside ``decoding.json``: which is best.
        """
        return self.path / "scores" / split / model

    def is_finished(self, rounds: int) -> bool:
        """Whether a run of ``rounds`` has come to its end here, so that it is only shown again."""
        if not is_done(self.evaluation):
            return False
        last = self.round(rounds)
        return is_done(last.model) or last.rejected.is_file() or self.stopped.is_file()

    @property
    def stage_lock(self) -> int:
        """A descriptor that stage processes inherit: its lock is free when all of them are gone."""
        return self._stage_lock

    @property
    def is_open(self) -> bool:
        """Whether this object holds the locks."""
        return self._lock >= 0

    def open(self) -> RunDir:
        """Create the directory if need be and lock it, unless this object has done so before.

        Raises:
            ConfigError: it cannot be written, or another run works in it.
        """
        if self.is_open:
            return self
        try:
            self._found = self._names()
            self._made = make_folder(self.path)
            lock = file_lock.take(self.at_work)
            if lock is None:
                raise self._taken()
            self._lock = lock
            self._stage_lock = self._wait_for_orphans()
        except OSError as error:
            self._take_away()
            self.close()
            message = f"{self.path}: cannot be written ({error.strerror}); choose another --run-dir"
            raise ConfigError(f"{message}, or make room and rights for it.") from error
        except ConfigError:
            self.close()  # it is not ours
            raise
        return self

    def show_life(self) -> None:
        """Let the health check know that a call is at work that writes nothing here yet."""
        with contextlib.suppress(OSError):
            os.utime(self._lock)

    def refuse_if_taken(self) -> None:
        """Refuse a directory in which another run works, before anything is shown of this one.

        Raises:
            ConfigError: one does.
        """
        with contextlib.suppress(OSError):  # there is none, or ``open`` says better what it is
            descriptor = os.open(self.at_work, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise self._taken() from error
            finally:
                os.close(descriptor)

    def _taken(self) -> ConfigError:
        message = f"{self.path}: another run works in it; wait for it"
        return ConfigError(f"{message} or choose another --run-dir.")

    def _wait_for_orphans(self) -> int:
        # After `kill -9` of a run the kernel kills its stage's process too, but not at once, and
        # two writers of one file would tear it.
        lock = file_lock.take_within(self.stages_at_work, file_lock.ORPHAN_WAIT_S)
        if lock is None:
            message = f"{self.path}: a stage of an earlier run is still at work in it."
            raise ConfigError(f"{message} End that process first.")
        return lock

    def close(self) -> None:
        """Give the locks back."""
        for descriptor in (self._lock, self._stage_lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._lock = self._stage_lock = -1

    def __enter__(self) -> RunDir:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        # The run that this call began is of no use to anybody if nothing has been drawn yet. But
        # what a full disk or a lost GPU has ended goes on, with the model that was prepared.
        mishap = isinstance(error, StorageError | GpuLost | OSError) and self.config.exists()
        useless = isinstance(error, UserError | OSError) and not self.has_samples() and not mishap
        if useless or (error is not None and not self.config.exists()):
            self._take_away()
        self.close()

    def has_samples(self) -> bool:
        """Whether anything has been drawn from a model, so that there is work to be lost."""
        return any(self.path.glob("rounds/*/completions.jsonl"))

    def _names(self) -> set[str] | None:
        return {entry.name for entry in self.path.iterdir()} if self.path.is_dir() else None

    def _own_names(self) -> set[str]:
        """What a run makes in the directory, by name; that of a file with what is beside it."""
        known = [path for path in vars(self).values() if isinstance(path, Path)]
        known += [self.problems("train"), self.round(1).path, self.scores("dev", "base")]
        own = {path.relative_to(self.path).parts[0] for path in known if path != self.path}
        files = [self.path / name for name in own]
        files += [beside(file) for file in files for beside in (spare, marker)]
        return {each.name for file in files for each in (file, unfinished(file))}

    def _take_away(self) -> None:
        """Remove what this call has made, unless it goes on with a run that was there.

        A fetch can take hours: what somebody has put here meanwhile stays.
        """
        found = self._found or set()
        if self.config.name in found:
            return
        own = self._own_names() if self.config.exists() else _MAY_BE_LEFT
        made = (self._names() or set()) & own - found if self.is_open else set()
        # The lock at the end: who takes it next makes files of the same names.
        for name in sorted(made, key=lambda name: name == self.at_work.name):
            entry = self.path / name
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    entry.unlink()
        for folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()

    def check(self, config: Config) -> Config | None:
        """The configuration to go on with; None where a run is to be begun.

        Writes nothing but what a crash has cut short of configuration and manifest.

        Raises:
            ConfigError: the directory was begun with another configuration, or holds other files.
        """
        if not self.config.exists():
            foreign = (self._names() or set()) - _MAY_BE_LEFT
            if foreign:
                message = f"{self.path}: holds other files ({sorted(foreign)[0]}, ...) and no run."
                raise ConfigError(f"{message} Choose an empty --run-dir.")
            return None
        for file in (self.config, self.manifest):
            restore(file)
        try:
            saved = configuration.build(configuration.read_toml(self.config))
        except ConfigError as error:
            message = f"{self.config} is damaged: {error}"
            raise ConfigError(f"{message} Restore it, or choose another --run-dir.") from error
        asked = freeze(config, saved)
        saved = saved.model_copy(update={"keep": asked.keep})  # more or less may go at any time
        if self.manifest.exists():
            saved = grown(with_sizes(saved, asked), asked)
        # How long it may take changes nothing of what has been done; unnamed, it stays.
        if asked.hours is not None:
            saved = saved.model_copy(update={"hours": asked.hours})
        asked = asked.model_copy(update={"hours": saved.hours})
        differing = configuration.differences(saved, asked)
        if not differing:
            return saved
        if not self.manifest.exists():
            # Nothing has been drawn yet: most likely the first call had a mistake in it.
            return None
        message = f"{self.path}: was begun with another configuration: {'; '.join(differing)}."
        raise ConfigError(f"{message} Choose another --run-dir, or the old settings.")

    def adopt(self, config: Config) -> Config:
        """Save ``config`` in a new directory, or check that a continued one was begun with it.

        What the machine chose at the beginning (slots, threads, workers) is kept on continuing. How
        much goes through training at once, and how many samples are drawn at once, may be named
        anew: memory may have become scarcer, and no more than rounding changes. So may the hours,
        and rounds may be more than they were.

        Raises:
            ConfigError: the directory was begun with another configuration, or holds other files.
        """
        saved = self.check(config)
        if saved is not None:
            self._note_growth(saved)
            return saved
        for made in (self.problems("train").parent, self.start):
            shutil.rmtree(made, ignore_errors=True)
        chosen = freeze(config)
        write_twice(self.config, chosen.to_toml())
        return chosen

    def grows(self, config: Config) -> bool:
        """Whether the run is now to do more than when it was called last."""
        values = configuration.read_toml(self.config)
        return any(values.get(name) != getattr(config, name) for name in MAY_GROW)

    def _note_growth(self, config: Config) -> None:
        values = configuration.read_toml(self.config)
        grown = {name: getattr(config, name) for name in MAY_GROW}
        # Nothing else is touched: a later version may have more settings than the file.
        changed = {name: value for name, value in grown.items() if values.get(name) != value}
        if self.manifest.exists() and changed:
            write_twice(self.config, tomli_w.dumps({**values, **changed}))
            self.stopped.unlink(missing_ok=True)  # whether there is a reason to stop is seen anew

    def settle(self, config: Config) -> None:
        """Save ``config`` once more, now that the size of generation has been chosen."""
        write_twice(self.config, config.to_toml())

    def write_manifest(self, facts: dict[str, Any]) -> None:
        """Write the manifest, or check that what it pins has not changed under a continued run.

        Raises:
            ConfigError: a model or a problem set is not the one that the run was begun with.
        """
        self.check_hashes(facts["hashes"])
        if not self.manifest.exists():
            write_twice(self.manifest, json.dumps(facts, indent=2, sort_keys=True) + "\n")

    def check_hashes(self, hashes: dict[str, str]) -> None:
        """Check that what the manifest pins, if there is one, has not changed.

        Raises:
            ConfigError: a model or a problem set is not the one that the run was begun with.
        """
        if not self.manifest.exists():
            return
        pinned = self._pinned()
        for name, value in hashes.items():
            if pinned.get(name) != value:
                message = f"{self.path}: {name} has changed since the run was begun."
                raise ConfigError(f"{message} Restore it, or choose another --run-dir.")

    def _pinned(self) -> dict[str, str]:
        """What the manifest pins, by names for people.

        Raises:
            ConfigError: it is damaged.
        """
        try:
            return dict(json.loads(self.manifest.read_text(encoding="utf-8"))["hashes"])
        except (ValueError, LookupError, TypeError) as error:
            message = f"{self.manifest} is damaged."
            raise ConfigError(f"{message} Restore it, or choose another --run-dir.") from error
