"""What a comparison can show, before a night is spent on it: its power.

The model of a comparison: a problem's probability of passing is drawn from a Beta distribution (so
its passes are beta-binomial); the new model's differs from it by a shift in log odds, whose mean
makes the effect and whose spread over problems says how unevenly training helps. Each model draws
its own samples. What is compared is the mean over problems of the difference in passes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from localdistill.bootstrap import USUAL, Confidence

_DRAWS = 20_000  # problems that stand for the distribution
_SEED = 20_260_402
_LEAST, _MOST = 1e-6, 1 - 1e-6  # probabilities whose log odds are finite
_STEPS = 60  # halvings of an interval: below what a float64 can tell apart
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Difficulty:
    """How hard the problems of a set are for a model, and how evenly training moves them.

    ``mean``: pass@1, as a share of 1. ``correlation``: of two samples of one problem (0: all
    problems are alike; 1: each always or never passes). ``spread``: standard deviation over
    problems of the shift in log odds.
    """

    mean: float
    correlation: float
    spread: float = 0.0

    def probabilities(self) -> _Floats:
        """Of passing, for problems that stand for the distribution, the same ones at each call."""
        generator = np.random.default_rng(_SEED)
        scale = (1 - self.correlation) / self.correlation
        drawn = generator.beta(self.mean * scale, (1 - self.mean) * scale, size=_DRAWS)
        return np.clip(drawn, _LEAST, _MOST)

    def shifted(self, effect: float) -> tuple[_Floats, _Floats]:
        """Probabilities before and after training whose mean effect is ``effect`` (share of 1).

        Raises:
            ValueError: no shift has that effect, as 0 or 1 is nearer than that.
        """
        before = self.probabilities()
        odds = np.log(before / (1 - before))
        noise = np.random.default_rng(_SEED + 1).standard_normal(before.size)
        uneven = odds + self.spread * noise
        # The spread alone moves the mean a little: the shift makes up for that, too.
        low, high = -40.0, 40.0
        for _ in range(_STEPS):
            middle = (low + high) / 2
            if _logistic(uneven + middle).mean() - before.mean() < effect:
                low = middle
            else:
                high = middle
        after = _logistic(uneven + high)
        if abs(after.mean() - before.mean() - effect) > 1e-3:
            raise ValueError(f"no shift of pass@1 {self.mean:.3f} has an effect of {effect:.3f}")
        return before, after


# Before anything is known of a set. The bundled seed model on its own evaluation problems has a
# mean of 0.45 and a correlation of 0.27, and a round of training moved them about evenly (the
# variance of 200 paired differences was that of the samples alone); a little unevenness is assumed
# all the same.
TYPICAL = Difficulty(mean=0.45, correlation=0.3, spread=0.5)


def fit(counts: Mapping[str, tuple[int, int]]) -> Difficulty:
    """The mean and correlation of ``counts`` (passed, samples), by their moments.

    Source: the analysis-of-variance estimate of the intra-class correlation (Donner 1986, Int.
    Stat. Rev. 54), with the number of samples equal or nearly so. Kept inside (0, 1), so that there
    is a Beta distribution.

    Raises:
        ValueError: fewer than two problems, or none with two samples.
    """
    pairs = [(passed, samples) for passed, samples in counts.values() if samples >= 2]
    if len(pairs) < 2:
        raise ValueError("the difficulty of fewer than two problems of two samples is unknown")
    passed, samples = np.array(pairs, dtype=np.float64).T
    shares, total, groups = passed / samples, samples.sum(), len(pairs)
    mean = passed.sum() / total
    between = (samples * (shares - mean) ** 2).sum() / (groups - 1)
    within = (passed * (1 - shares)).sum() / (total - groups)
    size = (total - (samples**2).sum() / total) / (groups - 1)
    denominator = between + (size - 1) * within
    found = (between - within) / denominator if denominator > 0 else 0.0
    return Difficulty(float(np.clip(mean, 0.005, 0.995)), float(np.clip(found, 0.005, 0.995)))


def standard_error(effect: float, problems: int, samples: int, difficulty: Difficulty) -> float:
    """Of the mean paired difference over ``problems`` of ``samples`` each, for each model."""
    before, after = difficulty.shifted(effect)
    noise = (before * (1 - before) + after * (1 - after)).mean() / samples
    return math.sqrt((noise + float(np.var(after - before))) / problems)


def power(
    effect: float,
    problems: int,
    samples: int,
    difficulty: Difficulty = TYPICAL,
    how: Confidence = USUAL,
) -> float:
    """How probable it is that an effect of ``effect`` (share of 1, positive) is called *better*.

    Normal approximation: the interval of the difference, of the level in ``how``, excludes zero.
    """
    error = standard_error(effect, problems, samples, difficulty)
    return NormalDist().cdf(effect / error - how.z)


def minimum_detectable_effect(
    problems: int,
    samples: int,
    difficulty: Difficulty = TYPICAL,
    wanted: float = 0.8,
    how: Confidence = USUAL,
) -> float | None:
    """The least effect (share of 1) that is found with probability ``wanted``; None: there is none.

    Source of the notion: Bloom 1995, "Minimum detectable effects", Eval. Rev. 19.
    """
    low, high = 0.0, 1 - difficulty.mean - 0.01
    if high <= 0 or power(high, problems, samples, difficulty, how) < wanted:
        return None
    while high - low > 1e-4:
        middle = (low + high) / 2
        if power(middle, problems, samples, difficulty, how) < wanted:
            low = middle
        else:
            high = middle
    return high


def _logistic(odds: _Floats) -> _Floats:
    return 1 / (1 + np.exp(-odds))
