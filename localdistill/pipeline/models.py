"""A model of a run, how it stands on dev, and what the run comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from localdistill.metrics import pass_at_1
from localdistill.outcomes import Comparison, Omitted
from localdistill.sampling import Sampling
from localdistill.stages.regression_found import Regression
from localdistill.types import (
    DecodingChoice,
    DecodingScore,
    EvalResult,
    ModelScore,
    Rejection,
    SandboxUse,
)


@dataclass(frozen=True)
class Model:
    """A model of the run: the file that is sampled, and the 16-bit weights to train from."""

    label: str
    gguf: Path
    master: Path
    round: int = 0  # that it came of; 0: the starting model


@dataclass(frozen=True)
class Contender:
    """A model, and how it is decoded where it is compared."""

    model: Model
    sampling: Sampling
    choice: DecodingChoice | None = None  # made on dev; None: it was not scored there

    @property
    def scores(self) -> list[DecodingScore]:
        """What it did on dev with each way of decoding that was tried."""
        return self.choice.scores if self.choice else []

    @property
    def score(self) -> ModelScore:
        """What it did on dev with the best of them.

        Raises:
            StopIteration: it was not scored there.
        """
        return next(each.score for each in self.scores if each.chosen)

    @property
    def value(self) -> float:
        """pass@1 of that, as a share of 1: what models are chosen by."""
        return pass_at_1(self.score)


@dataclass(frozen=True)
class RunResult:
    """What a run comes to."""

    evaluation: EvalResult | None  # None: no round gave a new model, or there was no time
    model: Model  # that was compared on eval; the starting model where none was
    sandboxes: list[SandboxUse]  # that its programs ran in, the first one first
    rejections: tuple[Rejection, ...] = ()  # the rounds without a model
    remarks: list[str] = field(default_factory=list)  # on the rounds: sentences for a person
    comparison: Comparison | None = None  # of strategies, where that was asked for
    omitted: Omitted | None = None  # what there was no time for
    general: Regression | None = None  # plain questions; None: not asked
