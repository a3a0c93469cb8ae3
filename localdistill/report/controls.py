"""How much of a run's gain another kind of training gives."""

from __future__ import annotations

from dataclasses import dataclass

from localdistill.bootstrap import difference_interval
from localdistill.metrics import paired_differences
from localdistill.report import confidence
from localdistill.report.wording import level, points, signed_range
from localdistill.types import ControlScore, EvalResult

_TRAINING = {
    "references": "Training on the problem set's own solutions",
    "shuffled": "Training on answers to other problems",
}


@dataclass(frozen=True)
class Shared:
    """The run's model against a control's, on the same problems: a share of 1, with interval."""

    name: str
    more: float  # that the run's own examples give
    low: float
    high: float
    sentence: str


def shares(evaluation: EvalResult | None) -> list[Shared]:
    """One for each control."""
    if evaluation is None:
        return []
    return [shared(evaluation, control) for control in evaluation.controls]


def shared(evaluation: EvalResult, control: ControlScore) -> Shared:
    """What of the gain of ``evaluation`` a control gives, and what the run's own examples add."""
    differences = paired_differences(evaluation.candidate.counts, control.score.counts)
    more = float(differences.mean()) if differences.size else 0.0
    low, high = (
        difference_interval(differences, confidence.of(evaluation))
        if differences.size
        else (0.0, 0.0)
    )
    training = _TRAINING.get(control.name, f"Training of the kind {control.name}")
    if control.gain <= 0:
        alone = f"gives nothing ({points(control.gain)} points)"
    elif evaluation.gain is not None and evaluation.gain > 0:
        alone = f"gives {points(control.gain)} of the {points(evaluation.gain)} points"
    else:
        alone = f"gives {points(control.gain)} points"
    if low > 0:
        rest = "the run's own examples give more than that"
    elif high < 0:
        rest = "the run's own examples give less than that"
    else:
        rest = "there is no evidence that the run's own examples give more than that"
    return Shared(
        control.name,
        more,
        low,
        high,
        f"{training} alone {alone}; {rest} "
        f"({points(more)}, {level(evaluation.level)} interval {signed_range(low, high)}).",
    )
