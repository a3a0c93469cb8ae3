"""Claim: the verdict errs as seldom as it says, and finds what the plan promises.

    python benchmarks/verdict_calibration.py [--evaluation RUN/evaluation.json]

Comparisons are simulated and judged by the package's own `metrics.difference_interval`. Problems
are drawn from the beta-binomial that fits ``--evaluation`` (its baseline; else the typical one),
the new model's log odds are shifted unevenly:

- false_positive_rate: of 10,000 comparisons of a model with itself (at most 0.055);
- coverage: how often the interval holds the true difference, the mean over all problems of that
  kind (0.93 to 0.97), for no effect and for +5 points;
- power, promised_power: how often +5 points are called better, and how often `power.power` says.

Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np

from localdistill import metrics
from localdistill.permutation import sign_flip_p
from localdistill.power import TYPICAL, Difficulty, fit, minimum_detectable_effect, power


def main() -> None:
    """Simulate comparisons without and with an effect."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--evaluation", type=Path)
    parser.add_argument("--problems", type=int, default=164)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--effect", type=float, default=0.05)
    parser.add_argument("--comparisons", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    difficulty = TYPICAL
    if args.evaluation is not None:
        counts = json.loads(args.evaluation.read_text(encoding="utf-8"))["baseline"]["counts"]
        difficulty = dataclasses.replace(TYPICAL, **_without_spread(fit(counts)))
    generator = np.random.default_rng(args.seed)
    alike = simulate(0.0, difficulty, args, generator)
    moved = simulate(args.effect, difficulty, args, generator)
    floor = minimum_detectable_effect(args.problems, args.samples, difficulty)
    print(
        json.dumps(
            {
                "false_positive_rate": alike["better"] + alike["worse"],
                "permutation_rate": alike["p below 0.05"],
                "coverage": alike["covered"],
                "coverage_of_effect": moved["covered"],
                "power": moved["better"],
                "promised_power": power(args.effect, args.problems, args.samples, difficulty),
                "minimum_detectable_effect": floor,
                "difficulty": dataclasses.asdict(difficulty),
                **{name: getattr(args, name) for name in ("problems", "samples", "comparisons")},
            }
        )
    )


def _without_spread(difficulty: Difficulty) -> dict[str, float]:
    return {"mean": difficulty.mean, "correlation": difficulty.correlation}


def simulate(
    effect: float,
    difficulty: Difficulty,
    args: argparse.Namespace,
    generator: np.random.Generator,
) -> dict[str, float]:
    """Shares of comparisons with a true ``effect`` by what was found of them."""
    if effect:
        before, after = difficulty.shifted(effect)
    else:
        before = after = difficulty.probabilities()
    truth = float((after - before).mean())
    found = dict.fromkeys(("better", "worse", "covered", "p below 0.05"), 0)
    for _ in range(args.comparisons):
        drawn = generator.integers(0, before.size, args.problems)
        old = generator.binomial(args.samples, before[drawn])
        new = generator.binomial(args.samples, after[drawn])
        differences = np.round((new - old) / args.samples, 12)
        low, high = metrics.difference_interval(differences)
        found["better"] += low > 0
        found["worse"] += high < 0
        found["covered"] += low <= truth <= high
        found["p below 0.05"] += sign_flip_p(differences) < 0.05 if not effect else 0
    return {name: count / args.comparisons for name, count in found.items()}


if __name__ == "__main__":
    main()
