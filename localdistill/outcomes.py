"""What a run has found: ``evaluation.json``, ``comparison.json`` of the lab, ``omitted.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from localdistill.bootstrap import USUAL, Confidence, difference_interval
from localdistill.metrics import paired_differences, pass_at_1
from localdistill.records import read_record
from localdistill.types import EvalResult, ModelScore, Row


class ArmScore(Row):
    """One way of choosing what to train on, and how the model did that came of it."""

    name: str  # of the strategy
    examples: int  # that were trained on
    tokens: int  # of their answers, in one epoch
    score: ModelScore
    # Paired difference to the base model in pass@1, as a share of 1, with its interval
    gain: float | None
    gain_low: float | None
    gain_high: float | None
    verdict: Literal["better", "no evidence", "worse"] | None
    chosen: bool = False  # its model is the round's
    # Paired difference of the chosen one to this one, likewise; None: it is the chosen one
    behind: float | None = None
    behind_low: float | None = None
    behind_high: float | None = None


class LeftOutArm(Row):
    """A strategy that gave no model, and why."""

    name: str
    reason: str


class Comparison(Row):
    """Strategies side by side, from one set of completions, at one number of tokens."""

    arms: list[ArmScore]
    problem_set: str = "dev"
    tokens_each: int
    level: float = 0.95  # of the intervals
    left_out: list[LeftOutArm] = Field(default_factory=list)


class Omission(Row):
    """One thing that was left out for want of time, as a sentence."""

    what: str
    stage: str


class Omitted(Row):
    """All that ``--hours`` left out."""

    hours: float
    items: list[Omission] = Field(default_factory=list)


def arm_score(name: str, examples: int, tokens: int, found: EvalResult) -> ArmScore:
    """The row of a strategy whose model was compared with the base model."""
    return ArmScore(
        name=name,
        examples=examples,
        tokens=tokens,
        score=found.candidate,
        gain=found.gain,
        gain_low=found.gain_low,
        gain_high=found.gain_high,
        verdict=found.verdict,
    )


def with_choice(arms: list[ArmScore], how: Confidence = USUAL) -> list[ArmScore]:
    """``arms`` with the one marked that has the highest pass@1; of equal ones the first.

    The others are held against it, problem by problem, with intervals as ``how`` says. They are of
    the data by which it was chosen, and so favour it a little.
    """
    best = max(arms, key=lambda arm: pass_at_1(arm.score))
    return [arm.model_copy(update=_against(arm, best, how)) for arm in arms]


def _against(arm: ArmScore, best: ArmScore, how: Confidence) -> dict[str, bool | float]:
    if arm is best:
        return {"chosen": True}
    differences = paired_differences(best.score.counts, arm.score.counts)
    if not differences.size:
        return {"chosen": False}
    low, high = difference_interval(differences, how)
    behind = float(differences.mean())
    return {"chosen": False, "behind": behind, "behind_low": low, "behind_high": high}


def read_evaluation(path: Path) -> EvalResult | None:
    """How a run's, or a round's, model compares with the first; None if that is not there yet.

    Raises:
        ConfigError: the file is damaged.
    """
    return read_record(path, EvalResult, "Continue the run to have it made again.")


def read_comparison(path: Path) -> Comparison | None:
    """What an earlier call has found; None if there is nothing.

    Raises:
        ConfigError: the file is damaged.
    """
    return read_record(path, Comparison, "Delete it: it is made again.")
