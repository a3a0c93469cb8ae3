"""Claim: the verdict errs as seldom as it says, and finds what the plan promises.

    python benchmarks/verdict_calibration.py [--evaluation RUN/evaluation.json]

Comparisons are simulated and judged by the package's own `metrics.difference_interval`. Problems
are drawn from the beta-binomial that fits ``--evaluation`` (its baseline; else the typical one),
the new model's log odds are shifted unevenly:

- false_positive_rate: of 10,000 comparisons of a model with itself (at most 0.055);
- coverage: how often the interval holds the true difference, the mean over all problems of that
  kind (0.93 to 0.97), for no effect and for +5 points;
- coverage_of_score: how often the interval of pass@1 of a model alone holds the true one;
- power, promised_power: how often +5 points are called better, and how often `power.power` says.

Both methods of `evaluate.interval` judge the same comparisons, at ``--level``. Prints one line of
JSON; the figures at its top are those of `percentile`, the default.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np

from localdistill import metrics
from localdistill.bootstrap import Confidence, Method
from localdistill.permutation import sign_flip_p
from localdistill.power import TYPICAL, Difficulty, fit, minimum_detectable_effect, power

METHODS: tuple[Method, ...] = ("percentile", "bca")
SIZES = ("problems", "samples", "comparisons", "level")


def main() -> None:
    """Simulate comparisons without and with an effect."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--evaluation", type=Path)
    parser.add_argument("--problems", type=int, default=164)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--effect", type=float, default=0.05)
    parser.add_argument("--comparisons", type=int, default=10_000)
    parser.add_argument("--level", type=float, default=0.95)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    difficulty = TYPICAL
    if args.evaluation is not None:
        counts = json.loads(args.evaluation.read_text(encoding="utf-8"))["baseline"]["counts"]
        difficulty = dataclasses.replace(TYPICAL, **_without_spread(fit(counts)))
    generator = np.random.default_rng(args.seed)
    alike = simulate(0.0, difficulty, args, generator)
    moved = simulate(args.effect, difficulty, args, generator)
    usual = Confidence(args.level)
    floor = minimum_detectable_effect(args.problems, args.samples, difficulty, how=usual)
    methods = {
        method: {
            "false_positive_rate": alike[method]["better"] + alike[method]["worse"],
            "coverage": alike[method]["covered"],
            "coverage_of_effect": moved[method]["covered"],
            "coverage_of_score": moved[method]["score covered"],
            "power": moved[method]["better"],
        }
        for method in METHODS
    }
    promised = power(args.effect, args.problems, args.samples, difficulty, usual)
    print(
        json.dumps(
            {
                **methods["percentile"],
                **{method: methods[method] for method in METHODS[1:]},
                "permutation_rate": alike["percentile"]["p below"],
                "promised_power": promised,
                "minimum_detectable_effect": floor,
                "difficulty": dataclasses.asdict(difficulty),
                **{name: getattr(args, name) for name in SIZES},
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
) -> dict[str, dict[str, float]]:
    """Shares of comparisons with a true ``effect`` by what each method found of them."""
    if effect:
        before, after = difficulty.shifted(effect)
    else:
        before = after = difficulty.probabilities()
    truth, score = float((after - before).mean()), float(after.mean())
    kinds = ("better", "worse", "covered", "score covered", "p below")
    found = {method: dict.fromkeys(kinds, 0) for method in METHODS}
    for _ in range(args.comparisons):
        drawn = generator.integers(0, before.size, args.problems)
        old = generator.binomial(args.samples, before[drawn])
        new = generator.binomial(args.samples, after[drawn])
        differences = np.round((new - old) / args.samples, 12)
        for method in METHODS:
            how, counted = Confidence(args.level, method), found[method]
            low, high = metrics.difference_interval(differences, how)
            counted["better"] += low > 0
            counted["worse"] += high < 0
            counted["covered"] += low <= truth <= high
            if effect:
                low, high = metrics.mean_interval(new / args.samples, how)
                counted["score covered"] += low <= score <= high
        if not effect:
            found["percentile"]["p below"] += sign_flip_p(differences) < 1 - args.level
    return {
        method: {name: count / args.comparisons for name, count in counted.items()}
        for method, counted in found.items()
    }


if __name__ == "__main__":
    main()
