"""Claim: a real model held against itself with other seeds is seldom called better or worse.

    python benchmarks/same_model.py                          # the bundled seed model, 20 times
    python benchmarks/same_model.py --model M.gguf --problems HumanEval.jsonl --work DIR

Each time both sides are sampled anew, tested in the sandbox and compared as the end of a run is.
With intervals of 95% one of 20 verdicts other than "no evidence" is to be expected. So few
comparisons tell little: ``--exchanged N`` draws N more from all samples of a problem, anew for each
problem, so that both sides are alike by construction, and prints the share of other verdicts
(``exchanged``). If evaluations as a whole scatter more than their samples do, the ratio
``scatter`` of the two variances is above 1, by more than its standard error. Prints a line for each
comparison; last one line of JSON. ``--work`` keeps what was sampled, so that the same
command goes on after an interruption.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from localdistill import metrics
from localdistill.jsonl import read_rows
from localdistill.models import models_dir
from localdistill.problems import load
from localdistill.sampling import Sampling
from localdistill.stages import evaluate
from localdistill.types import ModelScore, Verdict


def main() -> None:
    """Compare the model with itself as often as asked."""
    args = _arguments()
    with tempfile.TemporaryDirectory() as name:
        work = args.work or Path(name)
        numbers = range(args.first - 1, args.first - 1 + args.times)
        found = [_once(args, work, number) for number in numbers]
        pool = _pool(work)
    others = sum(1 for result in found if result["verdict"] != "no evidence")
    print(
        json.dumps(
            {
                "comparisons": len(found),
                "other_than_no_evidence": others,
                "largest_gain": max(abs(result["gain"]) for result in found),
                "gains": [result["gain"] for result in found],
                "chi_squared": round(sum(result["squared"] for result in found), 1),
                **_scatter(pool),
                "exchanged": _exchanged(pool, args) if args.exchanged else None,
            }
        )
    )


def _once(args: argparse.Namespace, work: Path, number: int) -> dict[str, object]:
    sides = [_score(args, work, seed) for seed in (2 * number + 1, 2 * number + 2)]
    result = metrics.compare("eval", sides[0], sides[1])
    print(
        f"{number + 1}: {100 * result.gain:+.1f} points, 95% interval "
        f"{100 * result.gain_low:+.1f} to {100 * result.gain_high:+.1f}, p = {result.p_value:.2g}: "
        f"{result.verdict}",
        flush=True,
    )
    return {
        "gain": round(100 * result.gain, 2),
        "verdict": result.verdict,
        "squared": _squared(sides[0], sides[1]),
    }


def _squared(one: ModelScore, other: ModelScore) -> float:
    """The square of the difference, in units of its variance as the problems' differences tell it.

    Over comparisons their sum is a chi-squared with as many degrees of freedom, nearly.
    """
    differences = metrics.paired_differences(one.counts, other.counts)
    variance = differences.var(ddof=1) / differences.size
    return float(differences.mean() ** 2 / variance) if variance else 0.0


def _pool(work: Path) -> np.ndarray:
    """Whether a sample passes, shape (evaluations, problems, samples), of all there are."""
    found = []
    for path in sorted(work.glob(f"*/{evaluate.VERDICTS}")):
        rows = sorted(read_rows(path, Verdict), key=lambda row: row.key)
        problems = len({row.problem_id for row in rows})
        found.append(np.array([row.status == "passed" for row in rows]).reshape(problems, -1))
    return np.array(found, dtype=float)


def _scatter(pool: np.ndarray) -> dict[str, float]:
    """Variance of evaluations' means in units of what independent samples would have."""
    evaluations, problems, samples = pool.shape
    rate, n = pool.mean((0, 2)), evaluations * samples
    alone = (rate * (1 - rate) * n / (n - 1) / samples).sum() / problems**2
    ratio = pool.mean((1, 2)).var(ddof=1) / alone if alone else 0.0
    error = (2 / (evaluations - 1)) ** 0.5
    return {"scatter": round(float(ratio), 3), "scatter_error": round(error, 3)}


def _exchanged(pool: np.ndarray, args: argparse.Namespace) -> float:
    """The share of verdicts other than "no evidence" where samples are dealt out at random."""
    every = pool.transpose(1, 0, 2).reshape(pool.shape[1], -1)
    rng = np.random.default_rng(0)
    others = 0
    for _ in range(args.exchanged):
        dealt = rng.permuted(every, axis=1)[:, : 2 * args.samples]
        sides = []
        for part in (dealt[:, : args.samples], dealt[:, args.samples :]):
            counts = {str(i): (int(row.sum()), args.samples) for i, row in enumerate(part)}
            sides.append(metrics.of_counts("model", counts, [1]))
        others += metrics.compare("eval", *sides).verdict != "no evidence"
    return others / args.exchanged


def _score(args: argparse.Namespace, work: Path, seed: int) -> ModelScore:
    request = evaluate.EvaluateRequest(
        candidate=evaluate.ModelUnderTest(
            label=f"seed {seed}", gguf=args.model, work_dir=work / str(seed)
        ),
        problems=args.problems,
        samples=args.samples,
        sampling=Sampling(temperature=args.temperature, max_tokens=args.max_tokens),
        seed=seed,
        out=work / f"{seed}.json",
    )
    result = evaluate.run(request, lambda event: None)
    known = {problem.id for problem in load(args.problems).problems}
    assert set(result.candidate.counts) <= known
    return result.candidate


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    seed = models_dir() / "seed"
    parser.add_argument("--model", type=Path, default=seed / "seed-q8_0.gguf")
    parser.add_argument("--problems", default=str(seed / "problems" / "eval.jsonl"))
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument(
        "--first", type=int, default=1, help="its number; each has seeds of its own"
    )
    parser.add_argument("--samples", type=int, default=4, help="for each problem")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--max-tokens", type=int, default=160)
    parser.add_argument("--exchanged", type=int, default=0, metavar="N")
    parser.add_argument("--work", type=Path, help="where samples are kept")
    return parser.parse_args()


if __name__ == "__main__":
    main()
