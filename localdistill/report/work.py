"""What was selected, trained and exported, round by round."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localdistill.report.reading import RoundRead, Run
from localdistill.report.wording import percent, signed_range
from localdistill.run_dir import label_of
from localdistill.stages.parity.checks import Check
from localdistill.types import EvalResult


@dataclass(frozen=True)
class Selected:
    """What became of one round's completions."""

    round: int
    strategy: str
    completions: int
    kept: int
    dropped: list[tuple[str, int]]
    covered: int
    problems: int


@dataclass(frozen=True)
class Trained:
    """One round's training."""

    round: int
    steps: list[int]
    losses: list[float]
    held_out: list[tuple[int, float]]
    facts: list[tuple[str, str]]


@dataclass(frozen=True)
class DevRound:
    """How one round's model did on dev."""

    label: str
    value: float
    low: float
    high: float
    against: str
    gain: str
    verdict: str
    distinct: str


def selected(run: Run) -> list[Selected]:
    """Of each round that has come so far."""
    return [
        Selected(
            round=each.number,
            strategy=str(facts.get("strategy", "")),
            completions=_whole(facts, "completions"),
            kept=_whole(facts, "kept"),
            dropped=_counts(facts.get("dropped")),
            covered=_whole(facts, "problems_covered"),
            problems=_whole(facts, "problems"),
        )
        for each in run.rounds
        if (facts := each.selected).get("completions")
    ]


def trained(run: Run) -> list[Trained]:
    """Of each round whose training is finished."""
    found = []
    for each in run.rounds:
        points = [
            (int(point["step"]), float(point["loss"]), point.get("held_out_loss"))
            for point in each.training.get("curve") or ()
            if _is_point(point)
        ]
        if not points:
            continue
        held_out = [(step, float(value)) for step, _, value in points if _is_number(value)]
        first = (each.training.get("held_out") or {}).get("before")
        if first is not None and _is_number(first):
            held_out.insert(0, (0, float(first)))
        found.append(
            Trained(
                round=each.number,
                steps=[step for step, _, _ in points],
                losses=[loss for _, loss, _ in points],
                held_out=held_out,
                facts=_training_facts(each),
            )
        )
    return found


def dev_rounds(run: Run) -> list[DevRound]:
    """Rounds that were scored on dev, after the model that the first one was held against."""
    scored = [each for each in run.rounds if each.dev is not None]
    if not scored:
        return []
    first = scored[0].dev
    start = first.baseline if first else None
    found = []
    if start is not None:
        at = start.pass_at[0]
        found.append(DevRound(start.model, at.value, at.low, at.high, "", "", "", ""))
    for each in scored:
        if each.dev is not None:
            found.append(_dev_round(each, each.dev))
    return found


def checks(run: Run) -> list[Check]:
    """What the parity gate found of the model that was compared."""
    chosen = run.chosen
    return chosen.parity.checks if chosen and chosen.parity else []


def _dev_round(each: RoundRead, dev: EvalResult) -> DevRound:
    at = dev.candidate.pass_at[0]
    gain = ""
    if dev.gain is not None and dev.gain_low is not None and dev.gain_high is not None:
        gain = signed_range(dev.gain_low, dev.gain_high)
    distinct = each.diversity.distinct if each.diversity else None
    return DevRound(
        label=label_of(each.number),
        value=at.value,
        low=at.low,
        high=at.high,
        against=dev.baseline.model if dev.baseline else "",
        gain=gain,
        verdict=dev.verdict or "",
        distinct=f"{distinct:.2f}" if distinct is not None else "",
    )


def _training_facts(each: RoundRead) -> list[tuple[str, str]]:
    facts, record = each.trained, each.training
    found = [
        ("examples", f"{_whole(facts, 'examples'):,}"),
        ("tokens trained on", f"{_whole(facts, 'trained_tokens'):,}"),
        ("steps", f"{_whole(facts, 'steps'):,}"),
    ]
    held_out = record.get("held_out") or {}
    if _is_number(held_out.get("before")) and _is_number(held_out.get("after")):
        change = f"{held_out['before']:.4f} before, {held_out['after']:.4f} after"
        found.append(("held-out loss (nats a token)", change))
    if record.get("stopped_early"):
        found.append(("stopped early, kept step", str(record.get("kept_step"))))
    if _is_number(facts.get("peak_memory_mb")):
        found.append(("peak memory", f"{facts['peak_memory_mb']:,.0f} MiB"))
    return found


def share(part: int, whole: int) -> str:
    """``22.3%``."""
    return percent(part / whole) if whole else ""


def _whole(facts: Mapping[str, Any], name: str) -> int:
    value = facts.get(name)
    return value if isinstance(value, int) else 0


def _counts(value: object) -> list[tuple[str, int]]:
    counts = value if isinstance(value, dict) else {}
    whole = [(str(name), count) for name, count in counts.items() if isinstance(count, int)]
    return sorted(whole, key=lambda each: -each[1])


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def _is_point(point: object) -> bool:
    return (
        isinstance(point, dict)
        and isinstance(point.get("step"), int)
        and _is_number(point.get("loss"))
    )
