"""When to draw more samples of a problem: where the next one is likely enough to be of use.

A sample is of use if selection will keep it: its program passes and is not one that the problem has
already. How likely that is (``chance``) is the product of

- the probability that it passes: the mean of a Beta distribution whose prior is fitted to all
  problems of the set (empirical Bayes) and updated by the problem's own samples. Where most
  problems are either easy or hopeless, that prior says so, and two failures count for much;
- the share of passes that are new: Good and Turing's estimate, the share of programs that were seen
  once among all that passed (Good 1953, Biometrika 40), with one imagined new pass, so that a
  problem without passes has a share of 1.

An example so costs (tokens of a sample) / ``chance`` more tokens. A problem gets more samples
as long as that is at most ``PRICE`` times what an example has cost on average so far: a set of hard
problems is not given up, and on a mixed one the hard problems do not take what many easy examples
would cost. ``benchmarks/adaptive_rule.py`` compares rules on recorded verdicts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

# Why a problem gets no more samples.
Reason = Literal["enough", "hopeless", "cap", "budget", "unjudged", "no_tests"]

FIRST_WAVE = 2  # samples of every problem, before anything is known of it
PRICE = 2.0  # how many times the average an example may cost
# Priors that are tried: every mean with every weight (in samples).
_MEANS = [0.005, 0.01, 0.02, 0.035, *(step / 20 for step in range(1, 20)), 0.975, 0.99]
_WEIGHTS = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0]


@dataclass
class Tally:
    """What has come out of one problem's samples."""

    drawn: int = 0  # handed out, whether finished or not
    judged: int = 0  # those that count: not infra_error
    passed: int = 0
    unjudged: int = 0  # infra_error
    tokens: int = 0  # of those that are finished
    finished: int = 0
    programs: Counter[int] = field(default_factory=Counter)  # that passed: hash -> how often

    @property
    def kept(self) -> int:
        """Different programs that passed."""
        return len(self.programs)

    @property
    def pending(self) -> int:
        """Samples of which nothing is known yet."""
        return self.drawn - self.judged - self.unjudged


@dataclass(frozen=True)
class Prior:
    """Beta distribution of pass rates over the problems of a set."""

    passes: float  # imagined ones
    failures: float

    def mean(self, passed: int, judged: int) -> float:
        """Probability that the next sample of a problem passes."""
        return (self.passes + passed) / (self.passes + self.failures + judged)


@dataclass(frozen=True)
class Rule:
    """What bounds the samples of a problem and of the set.

    keep: different passing programs that selection will keep of a problem.
    cap: samples of a problem at most.
    budget: samples of all problems at most.
    """

    keep: int
    cap: int
    budget: int
    first: int = FIRST_WAVE
    price: float = PRICE

    def first_wave(self) -> int:
        """Samples of each problem before anything is known of it."""
        return min(self.first, self.keep, self.cap)

    def wave(self, tally: Tally) -> int:
        """How many samples to draw next, if any: never more than can be kept."""
        if tally.drawn == 0:
            return self.first_wave()
        return max(0, min(self.keep - tally.kept, self.cap - tally.drawn))

    def settled(self, tally: Tally) -> Reason | None:
        """Why a problem gets no more, whatever it would cost; None if it may."""
        if tally.kept >= self.keep:
            return "enough"
        if tally.drawn >= self.cap:
            return "cap"
        if tally.judged == 0 and tally.unjudged >= self.first_wave():
            return "unjudged"
        return None

    def affordable(self, tally: Tally, market: Market) -> bool:
        """Whether one example more of this problem is likely to be worth its tokens."""
        return market.cost(tally) <= self.price * market.average


@dataclass(frozen=True)
class Market:
    """What examples cost over the whole set, as far as is known."""

    prior: Prior
    average: float  # tokens an example
    sample: float  # tokens a sample, over all problems

    def cost(self, tally: Tally) -> float:
        """Tokens that one more example of a problem will cost."""
        # One imagined sample of the set's mean length, as few of its own say little.
        tokens = (tally.tokens + self.sample) / (tally.finished + 1)
        return tokens / chance(tally, self.prior)


def market(tallies: Mapping[str, Tally]) -> Market:
    """Prior and prices from all that is known of a set."""
    prior = fit(Counter((one.passed, one.judged) for one in tallies.values() if one.judged))
    tokens = sum(one.tokens for one in tallies.values())
    finished = sum(one.finished for one in tallies.values())
    kept = sum(one.kept for one in tallies.values())
    # One imagined example at the prior's price, so that the first verdicts do not decide all.
    sample = tokens / finished if finished else 1.0
    average = (tokens + sample / prior.mean(0, 0)) / (kept + 1)
    return Market(prior, average, sample)


def chance(tally: Tally, prior: Prior) -> float:
    """Probability that the next sample of a problem is one that selection keeps beside the rest."""
    once = sum(count == 1 for count in tally.programs.values())
    new = (1 + once) / (1 + tally.passed)
    return prior.mean(tally.passed, tally.judged) * new


def fit(counts: Mapping[tuple[int, int], int]) -> Prior:
    """The prior on a grid under which (passed, judged) -> number of problems is likeliest.

    Beta-binomial likelihood. That sampling was stopped by its own results does not matter to it:
    the likelihood is the same (the likelihood principle). Each problem that was judged counts once.
    """
    return max(_grid(), key=lambda prior: _log_likelihood(prior, counts.items()))


@lru_cache
def _grid() -> list[Prior]:
    # The middle first: of equals, the first is taken.
    means = sorted(_MEANS, key=lambda mean: abs(mean - 0.5))
    weights = sorted(_WEIGHTS, key=lambda weight: abs(math.log(weight)))
    return [Prior(mean * weight, (1 - mean) * weight) for weight in weights for mean in means]


def _log_likelihood(prior: Prior, counts: Iterable[tuple[tuple[int, int], int]]) -> float:
    a, b = prior.passes, prior.failures
    return sum(
        times * (_log_beta(a + passed, b + judged - passed) - _log_beta(a, b))
        for (passed, judged), times in counts
    )


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
