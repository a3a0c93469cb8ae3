"""When a problem gets more samples: pure arithmetic."""

import random
from collections import Counter

import pytest

from localdistill.stages.adaptive_rule import Market, Prior, Rule, Tally, chance, fit, market

RULE = Rule(keep=4, cap=32, budget=800)


def tally(passed=0, failed=0, programs=None, unjudged=0, pending=0, tokens=10):
    judged = passed + failed
    return Tally(
        drawn=judged + unjudged + pending,
        judged=judged,
        passed=passed,
        unjudged=unjudged,
        tokens=tokens * judged,
        finished=judged,
        programs=Counter(range(passed) if programs is None else programs),
    )


def test_the_prior_is_that_of_the_set():
    draw = random.Random(1)
    counts = Counter()
    for _ in range(400):
        rate = draw.betavariate(0.3, 0.7)
        counts[sum(draw.random() < rate for _ in range(6)), 6] += 1
    prior = fit(counts)
    assert prior.mean(0, 0) == pytest.approx(0.3, abs=0.06)
    assert prior.mean(0, 2) < 0.15  # two failures tell much where problems are easy or hopeless
    even = fit({(3, 6): 200, (2, 6): 100, (4, 6): 100})
    assert even.mean(0, 2) > 0.35  # and little where all are alike


def test_with_no_verdict_the_prior_is_in_the_middle():
    assert fit({}) == Prior(0.5, 0.5)


def test_failures_lower_the_chance_and_new_passes_raise_it():
    prior = Prior(0.5, 0.5)
    chances = [chance(tally(failed=n), prior) for n in range(6)]
    assert chances == sorted(chances, reverse=True)
    assert chance(tally(passed=2, failed=2), prior) > chance(tally(failed=4), prior)


def test_passes_that_say_the_same_again_are_no_use():
    prior = Prior(0.5, 0.5)
    different, same = tally(passed=4), tally(passed=4, programs=[7, 7, 7, 7])
    assert same.kept == 1
    assert chance(same, prior) < 0.25 * chance(different, prior)


def test_a_wave_is_never_more_than_can_be_kept():
    assert RULE.wave(tally()) == 2
    assert RULE.wave(tally(passed=3, failed=2)) == 1
    assert RULE.wave(tally(failed=30)) == 2  # up to the cap
    assert Rule(keep=1, cap=32, budget=800).wave(tally()) == 1


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (tally(passed=4), "enough"),
        (tally(passed=4, programs=[1, 1, 2, 3]), None),
        (tally(failed=32), "cap"),
        (tally(unjudged=2), "unjudged"),
        (tally(unjudged=2, failed=1), None),
        (tally(failed=20), None),
    ],
)
def test_what_settles_a_problem(known, reason):
    assert RULE.settled(known) == reason


def test_an_example_may_cost_a_bounded_multiple_of_the_average():
    prior = Prior(0.5, 0.5)
    known = tally(passed=1, failed=1)
    cost = Market(prior, average=1.0, sample=10.0).cost(known)
    dear, cheap = cost / RULE.price * 0.99, cost / RULE.price * 1.01
    assert not RULE.affordable(known, Market(prior, average=dear, sample=10.0))
    assert RULE.affordable(known, Market(prior, average=cheap, sample=10.0))


def test_a_set_of_hard_problems_is_not_given_up():
    tallies = {str(n): tally(passed=int(n % 10 == 0), failed=3) for n in range(50)}
    now = market(tallies)
    assert RULE.affordable(tallies["1"], now)
    mixed = {**tallies, **{f"easy {n}": tally(passed=4) for n in range(50)}}
    assert not RULE.affordable(mixed["1"], market(mixed))


def test_long_samples_make_an_example_dear():
    now = Market(Prior(0.5, 0.5), average=1.0, sample=10.0)
    assert now.cost(tally(passed=1, failed=1, tokens=100)) > 5 * now.cost(tally(1, 1, tokens=10))
