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

from localdistill.errors import ConfigError, StageFailed
from localdistill.jsonl import read_rows, stopped_record
from localdistill.permutation import sign_flip_p
from localdistill.types import EvalResult, ModelScore, PassAtK, Verdict

RESAMPLES = 10_000
_SEED = 20_260_401  # fixed: the same verdicts give the same interval
_Z95 = 1.959963984540054  # 97.5% quantile of the normal distribution
# Below this many problems that differ no exact test reaches 5%: 2 * 0.5**5 = 0.0625 if all of 5
# point the same way. The bootstrap alone would call 4 of 4 a proof.
_FEWEST_DIFFERING = 6

Interval = tuple[float, float]
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


def score(
    verdicts: Iterable[Verdict], model: str, problem_ids: Sequence[str], ks: Sequence[int]
) -> ModelScore:
    """Score one model on the problems ``problem_ids``; verdicts on others are not looked at.

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
    return ModelScore(
        model=model,
        problems=len(counts),
        samples=sum(total for _, total in counts.values()),
        pass_at=[_mean_pass_at(k, counts, model) for k in ks],
        counts=counts,
    )


def compare(problem_set: str, candidate: ModelScore, baseline: ModelScore) -> EvalResult:
    """Compare two models by their paired difference in pass@1 on the problems that both have.

    The verdict is *better* or *worse* only where the 95% interval excludes zero. Without a common
    problem there is no gain and no verdict.
    """
    gain, p_value, verdict = None, None, None
    low: float | None = None
    high: float | None = None
    differences = paired_differences(candidate.counts, baseline.counts)
    if differences.size:
        gain = float(differences.mean())
        low, high = difference_interval(differences)
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


def mean_interval(values: _Floats) -> Interval:
    """95% interval of the mean of ``values``, shares of 1, one for each problem.

    Percentile bootstrap over problems, widened where they are few. Where all values are equal it
    would have no width, so that "all of 10 pass" would read as certainty: there the Wilson interval
    stands in, with the number of problems as that of trials (no variable in 0..1 spreads wider than
    a coin of the same mean). With fewer than two problems nothing is known: 0 to 1.
    """
    if values.size < 2:
        return 0.0, 1.0
    if np.ptp(values) == 0:
        return _wilson(float(values[0]), values.size)
    return _bootstrap(values)


def difference_interval(differences: _Floats) -> Interval:
    """95% interval of the mean of paired ``differences``, -1 to 1, one for each problem.

    Percentile bootstrap over problems, widened where they are few, with these exceptions:

    - with fewer than two problems nothing is known: -1 to 1;
    - where no problem differs: 0 to 0;
    - where all differ by the same amount, the Wilson interval, carried over from 0..1 to -1..1;
    - where fewer than 6 problems differ, the interval is stretched to hold zero.
    """
    if differences.size < 2:
        return -1.0, 1.0
    if np.ptp(differences) > 0:
        low, high = _bootstrap(differences)
    elif differences[0] == 0:
        return 0.0, 0.0
    else:
        low, high = (
            2 * end - 1 for end in _wilson((float(differences[0]) + 1) / 2, differences.size)
        )
    if np.count_nonzero(differences) < _FEWEST_DIFFERING:
        low, high = min(low, 0.0), max(high, 0.0)
    return low, high


def _mean_pass_at(k: int, counts: Mapping[str, tuple[int, int]], model: str) -> PassAtK:
    values = np.array([pass_at_k(n, c, k) for c, n in counts.values() if n >= k], dtype=np.float64)
    if not values.size:
        raise StageFailed(
            f"pass@{k} of {model} cannot be told: no problem has {k} samples that count "
            "(infra_error verdicts do not; see their detail)."
        )
    low, high = mean_interval(values)
    return PassAtK(k=k, value=float(values.mean()), low=low, high=high)


def _bootstrap(values: _Floats) -> Interval:
    """Expanded percentile interval of the mean over resampled problems.

    The plain 2.5% and 97.5% quantiles (Efron 1979) are too narrow where problems are few: with 10
    they hold the true mean in 90% of cases. See ``_tail``.

    Few distinct values occur, so a resample is drawn as how often each of them is: the same
    distribution as drawing problems one by one, at a cost that does not grow with their number.
    """
    distinct, frequency = np.unique(values, return_counts=True)
    generator = np.random.default_rng(_SEED)
    drawn = generator.multinomial(values.size, frequency / values.size, size=RESAMPLES)
    tail = _tail(values.size)
    low, high = np.quantile(drawn @ distinct / values.size, [tail, 1 - tail])
    return float(low), float(high)


def _tail(size: int) -> float:
    """Share of resampled means of ``size`` problems to leave out at each end; 2.5% for many.

    Source: Hesterberg 2015, arXiv 1411.5279, section 4.1: as far out as Student's t with
    ``size - 1`` degrees of freedom and the standard error with divisor ``size - 1`` would be. The
    quantile of t by its series in 1 / degrees (Abramowitz and Stegun 26.7.5).
    """
    z, degrees = _Z95, size - 1
    t = z + (z**3 + z) / (4 * degrees)
    t += (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
    t += (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * degrees**3)
    return 0.5 * math.erfc(t * math.sqrt(size / degrees) / math.sqrt(2))


def _wilson(share: float, trials: int) -> Interval:
    """Wilson's 95% score interval (Wilson 1927, J. Am. Stat. Assoc. 22)."""
    scale = 1 + _Z95**2 / trials
    centre = (share + _Z95**2 / (2 * trials)) / scale
    spread = share * (1 - share) / trials + _Z95**2 / (4 * trials**2)
    half = _Z95 / scale * math.sqrt(spread)
    # Rounding must not leave the share itself outside.
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def _verdict(low: float, high: float) -> Literal["better", "no evidence", "worse"]:
    if low > 0:
        return "better"
    return "worse" if high < 0 else "no evidence"
