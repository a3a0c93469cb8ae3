"""pass@k, its confidence interval, and the paired comparison of two models.

The unit that is resampled is the problem: samples of one problem are not independent of each other.
``infra_error`` verdicts are our own fault and count neither for nor against a model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from localdistill.bootstrap import USUAL, Confidence, difference_interval, mean_interval
from localdistill.errors import ConfigError, StageFailed
from localdistill.jsonl import read_rows, stopped_record
from localdistill.permutation import sign_flip_p
from localdistill.types import EvalResult, ModelScore, PassAtK, Verdict

__all__ = [
    "compare",
    "difference_interval",
    "fixed_verdicts",
    "mean_interval",
    "paired_differences",
    "pass_at_1",
    "pass_at_k",
    "score",
]

_Floats = npt.NDArray[np.float64]


def pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased estimate of pass@k from ``n`` samples of which ``c`` pass: 1 - C(n-c, k) / C(n, k).

    Source: Chen et al. 2021, arXiv 2107.03374, equation 1.

    Raises:
        ValueError: it is undefined: k < 1, n < k, or not 0 <= c <= n.
    """
    if not 1 <= k <= n or not 0 <= c <= n:
        raise ValueError(f"pass@{k} of {c} passes in {n} samples is undefined")
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def fixed_verdicts(completions: Path, verdicts: Path) -> list[Verdict]:
    """The verdicts on ``completions``, for scoring.

    Raises:
        ConfigError: samples were stopped by their own results (adaptive sampling): an easy problem
            ends with its passes and a hard one with its failures, and pass@k would be wrong.
    """
    if stopped_record(completions).exists():
        message = f"{completions}: was drawn adaptively, so that no pass@k can be computed from it"
        raise ConfigError(f"{message}; draw a fixed number of samples (`localdistill evaluate`).")
    return read_rows(verdicts, Verdict)


def pass_at_1(score: ModelScore) -> float:
    """pass@1 of ``score``, whichever k were asked for: the mean over problems of what passed.

    Raises:
        ValueError: no sample counts.
    """
    shares = [passed / total for passed, total in score.counts.values()]
    if not shares:
        raise ValueError(f"pass@1 of {score.model} is undefined: no sample counts")
    return math.fsum(shares) / len(shares)


def score(
    verdicts: Iterable[Verdict],
    model: str,
    problem_ids: Sequence[str],
    ks: Sequence[int],
    how: Confidence = USUAL,
) -> ModelScore:
    """Score one model on the problems ``problem_ids``; verdicts on others are not looked at.

    Intervals are made as ``how`` says.

    A problem none of whose samples count is left out, and one with fewer than k of them is left out
    of pass@k. Of two verdicts on the same sample the later one counts.

    Raises:
        StageFailed: for one of ``ks`` no problem has k samples that count.
    """
    wanted = set(problem_ids)
    judged = {row.key: row.status for row in verdicts if row.problem_id in wanted}
    counts: dict[str, tuple[int, int]] = {}
    for (problem, _), status in judged.items():
        if status != "infra_error":
            passed, total = counts.get(problem, (0, 0))
            counts[problem] = passed + (status == "passed"), total + 1
    counts = {name: counts[name] for name in dict.fromkeys(problem_ids) if name in counts}
    return of_counts(model, counts, ks, how)


def of_counts(
    model: str,
    counts: Mapping[str, tuple[int, int]],
    ks: Sequence[int],
    how: Confidence = USUAL,
) -> ModelScore:
    """pass@k over problems, from the samples of each that passed, of how many.

    Raises:
        StageFailed: there is a k for which no problem has samples enough.
    """
    return ModelScore(
        model=model,
        problems=len(counts),
        samples=sum(total for _, total in counts.values()),
        pass_at=[_mean_pass_at(k, counts, model, how) for k in ks],
        counts=dict(counts),
    )


def compare(
    problem_set: str, candidate: ModelScore, baseline: ModelScore, how: Confidence = USUAL
) -> EvalResult:
    """Compare two models by their paired difference in pass@1 on the problems that both have.

    The verdict is *better* or *worse* only where the interval, made as ``how`` says, excludes zero.
    Without a common problem there is no gain and no verdict.
    """
    gain, p_value, verdict = None, None, None
    low: float | None = None
    high: float | None = None
    differences = paired_differences(candidate.counts, baseline.counts)
    if differences.size:
        gain = float(differences.mean())
        low, high = difference_interval(differences, how)
        p_value = sign_flip_p(differences)
        verdict = _verdict(low, high)
    return EvalResult(
        problem_set=problem_set,
        candidate=candidate,
        baseline=baseline,
        gain=gain,
        gain_low=low,
        gain_high=high,
        p_value=p_value,
        verdict=verdict,
        level=how.level,
        interval_method=how.method,
    )


def paired_differences(
    candidate: Mapping[str, tuple[int, int]], baseline: Mapping[str, tuple[int, int]]
) -> _Floats:
    """pass@1 of the candidate less that of the baseline, for each problem in both (``counts``)."""
    both = [name for name in candidate if name in baseline]
    mine = np.array([candidate[name] for name in both], dtype=np.float64).reshape(-1, 2)
    theirs = np.array([baseline[name] for name in both], dtype=np.float64).reshape(-1, 2)
    # Rounded, so that 2/3 - 1/3 and 1/3 - 0 are one value.
    return np.round(mine[:, 0] / mine[:, 1] - theirs[:, 0] / theirs[:, 1], 12)


def _mean_pass_at(
    k: int, counts: Mapping[str, tuple[int, int]], model: str, how: Confidence
) -> PassAtK:
    values = np.array([pass_at_k(n, c, k) for c, n in counts.values() if n >= k], dtype=np.float64)
    if not values.size:
        raise StageFailed(
            f"pass@{k} of {model} cannot be told: no problem has {k} samples that count "
            "(infra_error verdicts do not; see their detail)."
        )
    low, high = mean_interval(values, how)
    return PassAtK(k=k, value=float(values.mean()), low=low, high=high)


def _verdict(low: float, high: float) -> Literal["better", "no evidence", "worse"]:
    if low > 0:
        return "better"
    return "worse" if high < 0 else "no evidence"
