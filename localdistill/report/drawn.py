"""Which plots a run gives, with the words for who cannot see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from localdistill.report import plots
from localdistill.report.plots import Bar, Words
from localdistill.report.problems import Failure, Group, Pair
from localdistill.report.reading import Run
from localdistill.report.wording import percent, points, visible
from localdistill.report.work import DevRound, Trained
from localdistill.types import EvalResult, ModelScore

_LONGEST = 22  # characters of a name beside a plot


@dataclass(frozen=True)
class Found:
    """What there is to be drawn."""

    pairs: Sequence[Pair]
    hard: Sequence[Group]
    failures: Sequence[Failure]
    trainings: Sequence[Trained]
    rounds: Sequence[DevRound]


def draw(run: Run, found: Found) -> dict[str, Markup]:
    """Plots by name; those for which there is nothing are not in it."""
    drawn: dict[str, Markup] = {}
    evaluation = run.evaluation
    if evaluation is not None and evaluation.baseline is not None:
        drawn["pass_at_k"] = _pass_at_k(evaluation, evaluation.baseline)
        controls = [
            Bar(_short(each.name), each.gain, each.gain_low, each.gain_high)
            for each in evaluation.controls
        ]
        if controls:
            own = _gain(evaluation)
            drawn["controls"] = _gains("controls", [*own, *controls], "Gain of each training")
    if found.pairs:
        drawn["each"] = _each(found.pairs)
    if found.hard:
        drawn["hard"] = _hard(found.hard)
    if found.failures:
        drawn["failures"] = _failures(found.failures)
    for each in found.trainings:
        drawn[f"training_{each.round}"] = _training(each)
    if len(found.rounds) > 1:
        drawn["rounds"] = _rounds(found.rounds)
    arms = [] if run.comparison is None else run.comparison.arms
    bars = [
        Bar(_short(arm.name), arm.gain, arm.gain_low, arm.gain_high)
        for arm in arms
        if arm.gain is not None and arm.gain_low is not None and arm.gain_high is not None
    ]
    if bars:
        drawn["arms"] = _gains("arms", bars, "Gain of each strategy")
    return drawn


def _pass_at_k(evaluation: EvalResult, baseline: ModelScore) -> Markup:
    after = {at.k: at for at in evaluation.candidate.pass_at}
    rows = [
        (
            Bar(f"pass@{at.k}", at.value, at.low, at.high),
            Bar(f"pass@{at.k}", after[at.k].value, after[at.k].low, after[at.k].high),
        )
        for at in baseline.pass_at
        if at.k in after
    ]
    said = "; ".join(
        f"{old.name} {percent(old.value)} before and {percent(new.value)} after"
        for old, new in rows
    )
    return plots.pass_at_k(rows, Words("Score before and after, with intervals", f"{said}."))


def _each(pairs: Sequence[Pair]) -> Markup:
    up, down = (sum(sign * pair.gain > 0 for pair in pairs) for sign in (1, -1))
    text = f"Of {len(pairs)} problems {up} are passed more often than before and {down} less often."
    return plots.each_problem(pairs, Words("Each problem before and after", text))


def _hard(groups: Sequence[Group]) -> Markup:
    said = "; ".join(
        f"{group.name}: from {percent(group.before)} to {percent(group.after)}" for group in groups
    )
    return plots.difficulty(groups, Words("Pass rate by difficulty", f"{said}."))


def _failures(rows: Sequence[Failure]) -> Markup:
    said = "; ".join(
        f"{row.name}: {percent(row.before_share)} before, {percent(row.after_share)} after"
        for row in rows
    )
    return plots.failures(rows, Words("How samples ended", f"{said}."))


def _training(training: Trained) -> Markup:
    text = f"From {training.losses[0]:.3f} to {training.losses[-1]:.3f} nats a token"
    if training.held_out:
        first, last = training.held_out[0][1], training.held_out[-1][1]
        text = f"{text}; on what was held out from {first:.3f} to {last:.3f}"
    words = Words(f"Loss in training, round {training.round}", f"{text}.")
    points = training.steps, training.losses, training.held_out
    return plots.training(f"train{training.round}", *points, words)


def _rounds(rounds: Sequence[DevRound]) -> Markup:
    bars = [Bar(_short(each.label), each.value, each.low, each.high) for each in rounds]
    said = "; ".join(f"{bar.name} {percent(bar.value)}" for bar in bars)
    return plots.rounds(bars, Words("pass@1 on dev by round", f"{said}."))


def _gains(name: str, bars: Sequence[Bar], title: str) -> Markup:
    said = "; ".join(f"{bar.name} {points(bar.value)} points" for bar in bars)
    return plots.gains(name, bars, Words(title, f"{said}."))


def _gain(evaluation: EvalResult) -> list[Bar]:
    gain, low, high = evaluation.gain, evaluation.gain_low, evaluation.gain_high
    if gain is None or low is None or high is None:
        return []
    return [Bar("this run", gain, low, high)]


def _short(name: str) -> str:
    text = visible(name).replace("\n", " ")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
