"""Files of a run directory that only some runs have, as rows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from localdistill.types import ModelScore, Row


class Arm(Row):
    """One strategy or control of a comparison (``comparison.json``)."""

    name: str
    kind: Literal["strategy", "control"] = "strategy"
    examples: int = 0
    tokens: int = 0
    score: ModelScore | None = None
    # Paired difference to the baseline in pass@1, as a share of 1.
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    verdict: str | None = None
    chosen: bool = False
    # Paired difference of the chosen one to this one.
    behind: float | None = None
    behind_low: float | None = None
    behind_high: float | None = None


class LeftOutArm(Row):
    """A strategy that gave no model, and why."""

    name: str
    reason: str


class Comparison(Row):
    """Strategies side by side, trained on equally many tokens."""

    arms: list[Arm]
    problem_set: str = "dev"
    tokens_each: int | None = None
    left_out: list[LeftOutArm] = Field(default_factory=list)


class OmittedItem(Row):
    """One thing that there was no time for."""

    what: str
    stage: str = ""


class Omitted(Row):
    """What a time budget left out (``omitted.json``)."""

    hours: float | None = None
    items: list[OmittedItem] = Field(default_factory=list)


class Stopped(Row):
    """Where the stop rule ended a run (``stopped.json``)."""

    after_round: int
    reason: str


class Diversity(Row):
    """How different the passing solutions of a round are (``diversity.json``)."""

    distinct: float | None = None  # mean distinct passing solutions of a problem
    pass_at_1: float | None = None
    pass_at_k: float | None = None
    k: int | None = None


class GuardCheck(Row):
    """One figure of the guard on general questions, before and after."""

    name: str
    before: float | None = None
    after: float | None = None
    bound: float | str | None = None
    passed: bool | None = None


class GuardWorse(Row):
    """A question whose answer has lost the form that was asked for."""

    question: str
    answer: str = ""
    flaws: list[str] = Field(default_factory=list)


class Guard(Row):
    """What the new model does on general questions (``regression.json``)."""

    questions: int | None = None
    worse: list[GuardWorse] = Field(default_factory=list)
    checks: list[GuardCheck] = Field(default_factory=list)
    passed: bool | None = None
