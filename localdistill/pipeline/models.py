"""A model of a run, and what the run comes to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localdistill.stages.regression import Regression
from localdistill.types import EvalResult, Rejection, SandboxUse


@dataclass(frozen=True)
class Model:
    """A model of the run: the file that is sampled, and the 16-bit weights to train from."""

    label: str
    gguf: Path
    master: Path
    round: int = 0  # that it came of; 0: the starting model


@dataclass(frozen=True)
class RunResult:
    """What a run comes to."""

    evaluation: EvalResult | None  # None: no round gave a new model
    model: Model
    sandboxes: list[SandboxUse]  # that its programs ran in, the first one first
    rejections: tuple[Rejection, ...] = ()  # the rounds without a model
    general: Regression | None = None  # plain questions; None: not asked
