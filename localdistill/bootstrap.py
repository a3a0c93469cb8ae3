"""Intervals of a mean over problems, by the bootstrap.

What is resampled is the problem, with all of its (paired) samples: those of one problem are not
independent of each other. Two methods: *percentile*, widened where problems are few (the default),
and *BCa*, which corrects for bias and skewness. How well each keeps its promise is measured by
``benchmarks/verdict_calibration.py``.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

RESAMPLES = 10_000
_SEED = 20_260_401  # fixed: the same verdicts give the same interval
_NORMAL = NormalDist()
_LEAST = 1e-12  # below it rounding decides whether two means are one

Method = Literal["percentile", "bca"]
Interval = tuple[float, float]
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Confidence:
    """How sure an interval is to hold the truth, and by which method it is made."""

    level: float = 0.95  # share of 1
    method: Method = "percentile"

    @property
    def z(self) -> float:
        """The quantile of the normal distribution that a two-sided interval of ``level`` has."""
        return _NORMAL.inv_cdf((1 + self.level) / 2)

    @property
    def fewest_differing(self) -> int:
        """Problems that must differ, at the least, before anything can be shown at this level.

        With fewer no exact test reaches it: at 95% 2 * 0.5**5 = 0.0625 if all of 5 point the same
        way. The bootstrap alone would call 4 of 4 a proof.
        """
        return math.ceil(math.log2(2 / (1 - self.level)))


USUAL = Confidence()


def mean_interval(values: _Floats, how: Confidence = USUAL) -> Interval:
    """Interval of the mean of ``values``, shares of 1, one for each problem.

    Where all values are equal the bootstrap would have no width, so that "all of 10 pass" would
    read as certainty: there the Wilson interval stands in, with the number of problems as that of
    trials (no variable in 0..1 spreads wider than a coin of the same mean). With fewer than two
    problems nothing is known: 0 to 1.
    """
    if values.size < 2:
        return 0.0, 1.0
    if np.ptp(values) == 0:
        return wilson(float(values[0]), values.size, how)
    return _bootstrap(values, how)


def difference_interval(differences: _Floats, how: Confidence = USUAL) -> Interval:
    """Interval of the mean of paired ``differences``, -1 to 1, one for each problem.

    By the bootstrap over problems, with these exceptions:

    - with fewer than two problems nothing is known: -1 to 1;
    - where no problem differs: as far from zero as Wilson's interval says that problems may differ
      of which none was seen to, as each differs by 1 at most;
    - where all differ by the same amount, the Wilson interval, carried over from 0..1 to -1..1;
    - where fewer problems differ than could show anything (6 at 95%), it is stretched to hold zero.
    """
    if differences.size < 2:
        return -1.0, 1.0
    if np.ptp(differences) > 0:
        low, high = _bootstrap(differences, how)
    elif differences[0] == 0:
        _, most = wilson(0.0, differences.size, how)
        return -most, most
    else:
        share = (float(differences[0]) + 1) / 2
        low, high = (2 * end - 1 for end in wilson(share, differences.size, how))
    if np.count_nonzero(differences) < how.fewest_differing:
        low, high = min(low, 0.0), max(high, 0.0)
    return low, high


def wilson(share: float, trials: int, how: Confidence = USUAL) -> Interval:
    """Wilson's score interval (Wilson 1927, J. Am. Stat. Assoc. 22)."""
    z = how.z
    scale = 1 + z**2 / trials
    centre = (share + z**2 / (2 * trials)) / scale
    spread = share * (1 - share) / trials + z**2 / (4 * trials**2)
    half = z / scale * math.sqrt(spread)
    # Rounding must not leave the share itself outside.
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def _bootstrap(values: _Floats, how: Confidence) -> Interval:
    """Two quantiles of the mean over resampled problems.

    Few distinct values occur, so a resample is drawn as how often each of them is: the same
    distribution as drawing problems one by one, at a cost that does not grow with their number.
    """
    distinct, frequency = np.unique(values, return_counts=True)
    generator = np.random.default_rng(_SEED)
    drawn = generator.multinomial(values.size, frequency / values.size, size=RESAMPLES)
    means = drawn @ distinct / values.size
    tail = _tail(values.size, how.z)
    ends = (tail, 1 - tail) if how.method == "percentile" else _bca(values, means, tail)
    low, high = np.quantile(means, ends)
    return float(low), float(high)


def _tail(size: int, z: float) -> float:
    """Share of resampled means of ``size`` problems to leave out at each end; 2.5% for many.

    The plain quantiles (Efron 1979) are too narrow where problems are few: with 10 the 2.5% and
    97.5% ones hold the true mean in 90% of cases.

    Source: Hesterberg 2015, arXiv 1411.5279, section 4.1: as far out as Student's t with
    ``size - 1`` degrees of freedom and the standard error with divisor ``size - 1`` would be. The
    quantile of t by its series in 1 / degrees (Abramowitz and Stegun 26.7.5) from ``z``, the normal
    one.
    """
    degrees = size - 1
    t = z + (z**3 + z) / (4 * degrees)
    t += (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
    t += (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * degrees**3)
    # With two values and a high level it is less than a float can hold: the range of all then.
    return max(sys.float_info.min, 0.5 * math.erfc(t * math.sqrt(size / degrees) / math.sqrt(2)))


def _bca(values: _Floats, means: _Floats, tail: float) -> Interval:
    """The shares of resampled ``means`` at which the corrected interval ends, for ``tail``.

    Source: Efron 1987, J. Am. Stat. Assoc. 82, "Better bootstrap confidence intervals": the bias
    from how many resampled means are below the estimate (those equal to it count half, as few
    distinct values occur); the acceleration by the jackknife, which for a mean is a sixth of the
    skewness of its own distribution.
    """
    estimate = float(values.mean())
    below = np.count_nonzero(means < estimate - _LEAST)
    equal = np.count_nonzero(np.abs(means - estimate) <= _LEAST)
    share = (below + equal / 2) / means.size
    least = 0.5 / means.size
    bias = _NORMAL.inv_cdf(min(1 - least, max(least, share)))
    away = values - estimate
    acceleration = float((away**3).sum() / (6 * (away**2).sum() ** 1.5))

    def corrected(z: float) -> float:
        moved = bias + z
        slope = 1 - acceleration * moved
        # Beyond a pole, which only a handful of very uneven values reach, nothing is left out.
        return _NORMAL.cdf(bias + moved / slope) if slope > 0 else float(z > 0)

    z = _NORMAL.inv_cdf(tail)
    return corrected(z), corrected(-z)
