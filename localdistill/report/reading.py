"""Reads a run directory for the report: all that stands in it, each part of which may be missing.

A run may be at work, or have been killed, or be of another version. So nothing here raises for
a file that is damaged: it is left out, and named in ``Run.damaged``.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from localdistill import config as configuration
from localdistill.config import Config
from localdistill.errors import ConfigError, UserError
from localdistill.jsonl import iter_rows, read_rows
from localdistill.markers import is_done, marker
from localdistill.outcomes import Comparison, Omitted
from localdistill.run_dir import RunDir, round_of
from localdistill.stages.parity.checks import Parity
from localdistill.stages.regression_found import Regression
from localdistill.stages.scoring import COMPLETIONS, VERDICTS
from localdistill.stages.split import LEFT_OUT, LeftOut
from localdistill.trainers.record import TRAINING
from localdistill.types import (
    Completion,
    Diversity,
    EvalResult,
    Problem,
    Rejection,
    SandboxUse,
    Stopped,
    Verdict,
)

RowT = TypeVar("RowT", bound=BaseModel)


@dataclass(frozen=True)
class Answers:
    """What one model said on a problem set, and what became of it."""

    completions: Path | None = None  # read when they are asked for: they can be large
    verdicts: list[Verdict] = field(default_factory=list)

    def of(self, problems: Collection[str]) -> list[Completion]:
        """Completions of ``problems``; those that can be read, where the file is damaged."""
        found: list[Completion] = []
        if self.completions is not None:
            with contextlib.suppress(OSError, UserError):
                found += (
                    row
                    for row in iter_rows(self.completions, Completion)
                    if row.problem_id in problems
                )
        return found


@dataclass(frozen=True)
class RoundRead:
    """What is known of one round."""

    number: int
    made: bool  # whether it gave a model
    selected: dict[str, Any]  # what the stage *select* noted; empty: nothing yet
    trained: dict[str, Any]  # the summary of the training
    training: dict[str, Any]  # training.json
    parity: Parity | None
    rejected: Rejection | None
    dev: EvalResult | None  # its comparison on dev
    diversity: Diversity | None


@dataclass(frozen=True)
class Run:
    """Everything that the report is made from."""

    path: Path
    config: Config | None
    config_text: str
    manifest: dict[str, Any]
    sandboxes: list[SandboxUse]
    evaluation: EvalResult | None
    rounds: list[RoundRead]
    problems: dict[str, Problem]  # of eval, by id
    sizes: dict[str, int]  # split -> problems
    left_out: list[LeftOut]
    before: Answers  # of the baseline on eval
    after: Answers  # of the new model on eval
    comparison: Comparison | None
    omitted: Omitted | None
    stopped: Stopped | None
    guard: Regression | None
    damaged: list[str]

    @property
    def chosen(self) -> RoundRead | None:
        """The round whose model was evaluated; the last one where none was."""
        if self.evaluation is not None:
            chosen = round_of(self.evaluation.candidate.model)
            for each in self.rounds:
                if each.number == chosen:
                    return each
        return self.rounds[-1] if self.rounds else None

    @property
    def rejections(self) -> list[Rejection]:
        """Of all rounds that gave no model."""
        return [each.rejected for each in self.rounds if each.rejected is not None]

    @property
    def all_rejected(self) -> bool:
        """Whether the run has ended without a new model."""
        wanted = self.config.rounds if self.config else len(self.rounds)
        if self.stopped is not None:
            wanted = self.stopped.after_round
        rejected = len(self.rejections)
        return self.evaluation is None and 0 < rejected == len(self.rounds) >= wanted


def read(path: Path) -> Run:
    """Read the run in ``path``.

    Raises:
        ConfigError: there is no run.
    """
    directory = RunDir(path)
    if not directory.config.is_file():
        raise ConfigError(f"{path}: holds no run (config.toml is missing). Give a run directory.")
    reader = _Reader(path)
    evaluation = reader.row(directory.evaluation, EvalResult)
    manifest = reader.json(directory.manifest)
    splits = {name: reader.rows(directory.problems(name), Problem) for name in _SPLITS}
    scores = (evaluation.baseline, evaluation.candidate) if evaluation else (None, None)
    before, after = (reader.answers(directory, each.model if each else None) for each in scores)
    return Run(
        path=path,
        config=reader.config(directory.config),
        config_text=reader.text(directory.config),
        manifest=manifest,
        sandboxes=reader.sandboxes(manifest),
        evaluation=evaluation,
        rounds=reader.rounds(directory),
        problems={problem.id: problem for problem in splits["eval"]},
        sizes={name: len(rows) for name, rows in splits.items() if rows},
        left_out=reader.rows(directory.problems("train").with_name(LEFT_OUT), LeftOut),
        before=before,
        after=after,
        comparison=reader.row(directory.comparison, Comparison),
        omitted=reader.row(directory.omitted, Omitted),
        stopped=reader.row(directory.stopped, Stopped),
        guard=reader.row(directory.regression, Regression),
        damaged=reader.damaged,
    )


_SPLITS = ("train", "dev", "eval")


class _Reader:
    """Reads files that may be missing or damaged, and notes which were."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.damaged: list[str] = []

    def text(self, path: Path) -> str:
        """What stands in it; empty where it is missing."""
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def json(self, path: Path) -> dict[str, Any]:
        """The object in it; empty where there is none."""
        if not path.is_file():
            return {}
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            content = None
        if isinstance(content, dict):
            return content
        self._note(path)
        return {}

    def row(self, path: Path, row_type: type[RowT]) -> RowT | None:
        """What stands in it; None where it is missing."""
        try:
            return row_type.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValidationError):
            self._note(path)
            return None

    def rows(self, path: Path, row_type: type[RowT]) -> list[RowT]:
        """Its rows; none where it is missing."""
        try:
            return read_rows(path, row_type)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except (OSError, UserError):
            self._note(path)
            return []

    def config(self, path: Path) -> Config | None:
        """The configuration; None where it is not one of this version."""
        try:
            return configuration.build(configuration.read_toml(path))
        except ConfigError:
            self._note(path)
            return None

    def sandboxes(self, manifest: dict[str, Any]) -> list[SandboxUse]:
        """Those that programs ran in."""
        try:
            return [SandboxUse.model_validate(each) for each in manifest.get("sandboxes", ())]
        except (ValidationError, TypeError):
            return []

    def answers(self, directory: RunDir, label: str | None) -> Answers:
        """Of the model ``label`` on eval."""
        if label is None:
            return Answers()
        folder = directory.scores("eval", label)
        return Answers(folder / COMPLETIONS, self.rows(folder / VERDICTS, Verdict))

    def rounds(self, directory: RunDir) -> list[RoundRead]:
        """All rounds that were begun."""
        found = sorted(path.name for path in (self.run / "rounds").glob("[0-9]*") if path.is_dir())
        return [self._round(directory, int(name)) for name in found if name.isdigit()]

    def _round(self, directory: RunDir, number: int) -> RoundRead:
        paths = directory.round(number)
        trained = self.json(marker(paths.adapter)).get("summary")
        return RoundRead(
            number=number,
            made=is_done(paths.model),
            selected=self.json(marker(paths.selected)),
            trained=trained if isinstance(trained, dict) else {},
            training=self.json(paths.adapter / TRAINING),
            parity=self.row(paths.parity, Parity),
            rejected=self.row(paths.rejected, Rejection),
            dev=self.row(paths.evaluation, EvalResult),
            diversity=self.row(paths.diversity, Diversity),
        )

    def _note(self, path: Path) -> None:
        self.damaged.append(str(path.relative_to(self.run)))
