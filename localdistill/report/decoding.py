"""How models were decoded: what was chosen on dev, what that alone gives, and T_eff."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localdistill.report.reading import Run
from localdistill.report.wording import decoding, interval, percent, points
from localdistill.types import DecodingScore, EvalResult


@dataclass(frozen=True)
class Choice:
    """One way of decoding one model, as it did on dev."""

    model: str
    decoding: str
    value: str
    interval: str
    chosen: bool


@dataclass(frozen=True)
class Temperatures:
    """Temperature of sampling for training, of decoding, and their product."""

    sample: float
    decode: float
    truncated: bool  # whether sampling cut tokens off

    @property
    def effective(self) -> float:
        """T_eff = T_sample * T_decode (Zhang et al., arXiv 2604.01193)."""
        return self.sample * self.decode

    @property
    def meaning(self) -> str:
        """What sampling like that lets training learn."""
        if self.sample == 0:
            return "Sampling was greedy: training makes the model surer of its first choices."
        if self.truncated:
            return "Sampling cut unlikely tokens off, and training imitates that."
        if self.sample == 1:
            return (
                "Sampling was the model's own distribution: what training can learn comes from "
                "the selection alone."
            )
        return "Sampling cut nothing off; training imitates its temperature."


def used(run: Run) -> list[tuple[str, str]]:
    """What for, and how: sampling for training, then each model in the comparison."""
    if run.config is None:
        return []
    rows = [("Sampled for training", decoding(run.config.generate.model_dump()))]
    configured = run.config.evaluate.model_dump()
    if run.evaluation is None:
        return [*rows, ("To be compared with", decoding(configured))]
    return [
        *rows,
        ("Your model, compared", decoding(run.evaluation.baseline_decoding or configured)),
        ("New model, compared", decoding(run.evaluation.candidate_decoding or configured)),
    ]


def temperatures(run: Run) -> Temperatures | None:
    """Those that the new model came of and is used with; None without a configuration."""
    if run.config is None:
        return None
    decoded: Mapping[str, Any] = run.config.evaluate.model_dump()
    if run.evaluation is not None and run.evaluation.candidate_decoding is not None:
        decoded = run.evaluation.candidate_decoding
    sampled = run.config.generate.sampling()
    temperature = decoded.get("temperature", 1.0)
    return Temperatures(sampled.temperature, float(temperature), sampled.truncates)


def choices(evaluation: EvalResult | None) -> list[Choice]:
    """All that were tried on dev, each model's best first."""
    if evaluation is None:
        return []
    base = evaluation.baseline.model if evaluation.baseline else ""
    ordered = sorted(
        evaluation.choices,
        key=lambda each: (each.model != base, each.model, -each.score.pass_at[0].value),
    )
    return [
        Choice(
            model="your model" if each.model == base else f"new model ({each.model})",
            decoding=decoding(each.decoding),
            value=percent(each.score.pass_at[0].value),
            interval=interval(each.score.pass_at[0]),
            chosen=each.chosen,
        )
        for each in ordered
    ]


def alone(run: Run) -> str | None:
    """What better decoding alone gives the old model, on dev; None where that is not known."""
    evaluation = run.evaluation
    if evaluation is None or evaluation.baseline is None or run.config is None:
        return None
    own = [each for each in evaluation.choices if each.model == evaluation.baseline.model]
    chosen = next((each for each in own if each.chosen), None)
    sampled = run.config.generate.sampling()
    plain = next((each for each in own if each.decoding == sampled.model_dump()), None)
    plain = plain or _at(own, sampled.temperature)
    if chosen is None or plain is None or len(own) == 1:
        return None
    if plain is chosen:
        return "Your model does best with the decoding that it was sampled with."
    before, after = (each.score.pass_at[0].value for each in (plain, chosen))
    return (
        f"Decoding your model better ({decoding(chosen.decoding)} instead of "
        f"{decoding(plain.decoding)}) alone moves it by {points(after - before)} points on dev, "
        f"from {percent(before)} to {percent(after)}. That is not counted as a gain."
    )


def _at(own: list[DecodingScore], temperature: float) -> DecodingScore | None:
    same = [
        each
        for each in own
        if each.decoding.get("temperature") == temperature
        and each.decoding.get("top_p", 1.0) == 1.0
        and not each.decoding.get("top_k")
    ]
    return same[0] if same else None
