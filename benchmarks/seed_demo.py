"""Claim: one round on the seed model makes it better at problems that it has never seen.

    python benchmarks/seed_demo.py                   # five seeds, three selections

For every seed the default run is made with each selection, on the same samples. The gain is the
mean difference in pass@1 on eval. Its 95% interval holds for other seeds and other problems: both
are resampled, each on its own (the pigeonhole bootstrap, Owen 2007, doi:10.1214/07-AOAS122).
A second evaluation decodes both models greedily. The runs stay in --runs; a second call goes on
where the first was stopped. Prints one line of JSON, in shares of 1.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import seed_runs

SEEDS = (101, 102, 103, 104, 105)
STRATEGIES = ("tests", "none", "confidence")
RESAMPLES = 10_000
GREEDY = ("--temperature", 0, "--samples", 1, "--max-tokens", 160)


def main() -> None:
    """Run, compare and print."""
    args = _arguments()
    gains: dict[str, list[dict[str, Any]]] = {name: [] for name in args.select}
    for seed in args.seeds:
        first = args.runs / f"seed-{seed}" / args.select[0]
        for name in args.select:
            gains[name].append(_one(args, seed, name, first))
    print(json.dumps({name: _summary(found) for name, found in gains.items()}))


def _one(args: argparse.Namespace, seed: int, name: str, first: Path) -> dict[str, Any]:
    directory = args.runs / f"seed-{seed}" / name
    # Both decodings are looked at here, each by itself.
    settings: dict[str, object] = {
        "seed": seed,
        "select.strategy": name,
        "evaluate.decode": "same",
    }
    if args.model:
        settings["model"] = args.model.resolve()
    sampled = seed_runs.run(directory, settings, like=None if directory == first else first)
    greedy = seed_runs.evaluate(
        _last_model(directory), _base(directory, args.model), directory / "problems/eval.jsonl",
        directory / "greedy.json", *GREEDY, "--seed", seed,
    )  # fmt: skip
    return {"sampled": sampled, "greedy": greedy}


def _last_model(directory: Path) -> Path:
    return sorted(directory.glob("rounds/*/model.gguf"))[-1]


def _base(directory: Path, model: Path | None) -> Path:
    """The file that the run started from: made by the run, or found beside the weights."""
    folder = (model or seed_runs.CONFIG.parent).resolve()
    return next(iter([*directory.glob("start/*.gguf"), *folder.glob("*.gguf")]))


def _summary(found: list[dict[str, Any]]) -> dict[str, float]:
    sampled = [row["sampled"] for row in found]
    greedy = [row["greedy"] for row in found]
    gain, low, high = interval(np.array([differences(row) for row in sampled]))
    greedy_gain, greedy_low, greedy_high = interval(np.array([differences(row) for row in greedy]))
    figures = {
        "gain": gain, "low": low, "high": high,
        "before": _mean(sampled, "baseline"), "after": _mean(sampled, "candidate"),
        "greedy_gain": greedy_gain, "greedy_low": greedy_low, "greedy_high": greedy_high,
        "greedy_before": _mean(greedy, "baseline"), "greedy_after": _mean(greedy, "candidate"),
    }  # fmt: skip
    return {name: round(value, 4) for name, value in figures.items()}


def differences(evaluation: dict[str, Any]) -> list[float]:
    """pass@1 after less pass@1 before, for each problem in the order of the set."""
    before, after = (evaluation[side]["counts"] for side in ("baseline", "candidate"))
    return [after[p][0] / after[p][1] - before[p][0] / before[p][1] for p in before]


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """The mean of `values`, shape (seeds, problems), and the ends of its 95% interval."""
    generator = np.random.default_rng(0)
    seeds, problems = values.shape
    of_seeds = generator.multinomial(seeds, np.full(seeds, 1 / seeds), RESAMPLES) / seeds
    of_problems = generator.multinomial(problems, np.full(problems, 1 / problems), RESAMPLES)
    means = np.einsum("rs,sp,rp->r", of_seeds, values, of_problems / problems, optimize=True)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(values.mean()), float(low), float(high)


def _mean(evaluations: list[dict[str, Any]], side: str) -> float:
    return float(np.mean([row[side]["pass_at"][0]["value"] for row in evaluations]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--select", nargs="+", default=list(STRATEGIES), metavar="STRATEGY")
    parser.add_argument("--model", type=Path, help="another folder that build.py has written")
    parser.add_argument("--runs", type=Path, default=Path("runs/seed-demo"), help="where runs stay")
    args = parser.parse_args()
    args.runs = args.runs.resolve()
    return args


if __name__ == "__main__":
    main()
