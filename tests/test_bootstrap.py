"""Intervals by the bootstrap: against one that is done the long way, and at other levels."""

from statistics import NormalDist

import numpy as np
import pytest

from localdistill import bootstrap
from localdistill.bootstrap import Confidence, difference_interval, mean_interval, wilson

BCA = Confidence(method="bca")
NORMAL = NormalDist()


def bca_the_long_way(values, tail):
    """Problems drawn one by one, and the jackknife by leaving each out."""
    generator = np.random.default_rng(5)
    means = values[generator.integers(0, values.size, (40_000, values.size))].mean(axis=1)
    below = (means < values.mean() - 1e-12).mean() + (abs(means - values.mean()) < 1e-12).mean() / 2
    bias = NORMAL.inv_cdf(below)
    left_out = np.array([np.delete(values, n).mean() for n in range(values.size)])
    away = left_out.mean() - left_out
    acceleration = (away**3).sum() / (6 * (away**2).sum() ** 1.5)

    def at(z):
        return NORMAL.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))

    z = NORMAL.inv_cdf(tail)
    return np.quantile(means, [at(z), at(-z)])


@pytest.mark.parametrize("size", [25, 120])
def test_bca_agrees_with_the_definition(size):
    values = np.random.default_rng(size).beta(0.3, 3, size).round(2)  # skewed
    tail = bootstrap._tail(size, Confidence().z)
    expected = bca_the_long_way(values, tail)
    assert mean_interval(values, BCA) == pytest.approx(expected.tolist(), abs=0.004)


def test_bca_moves_towards_the_long_tail_and_percentile_does_not():
    values = np.array([0.0] * 40 + [1.0] * 3)
    (low, high), (bca_low, bca_high) = mean_interval(values), mean_interval(values, BCA)
    assert bca_low >= low
    assert bca_high > high


def test_of_an_even_distribution_both_methods_are_nearly_one():
    values = np.repeat([0.0, 0.25, 0.5, 0.75, 1.0], 30)
    assert mean_interval(values, BCA) == pytest.approx(mean_interval(values), abs=0.004)


def test_a_higher_level_gives_a_wider_interval():
    values = np.random.default_rng(2).integers(-4, 5, 80) / 4
    widths = [
        np.ptp(difference_interval(values, Confidence(level, method)))
        for method in ("percentile", "bca")
        for level in (0.8, 0.95, 0.99)
    ]
    assert widths[0] < widths[1] < widths[2]
    assert widths[3] < widths[4] < widths[5]
    assert np.ptp(wilson(0.5, 20)) < np.ptp(wilson(0.5, 20, Confidence(0.99)))


@pytest.mark.parametrize(("level", "fewest"), [(0.8, 4), (0.95, 6), (0.99, 8)])
def test_so_many_problems_must_differ_that_an_exact_test_could_reach_the_level(level, fewest):
    how = Confidence(level)
    assert how.fewest_differing == fewest
    assert 2 * 0.5**fewest <= 1 - level < 2 * 0.5 ** (fewest - 1)
    values = np.array([1.0] * fewest + [0.0] * 90)
    assert difference_interval(values, how)[0] > 0
    assert difference_interval(values[1:], how)[0] == 0


@pytest.mark.parametrize("values", [[1.0, -1.0], [1.0, 0.0, 0.0], [0.25] * 3 + [-1.0]])
def test_bca_of_a_handful_of_problems_stays_in_its_range(values):
    low, high = difference_interval(np.array(values), BCA)
    assert -1 <= low <= high <= 1


@pytest.mark.parametrize("level", [0.99, 0.9999])
@pytest.mark.parametrize("size", [2, 3])
def test_a_high_level_of_two_or_three_problems_takes_in_all(level, size):
    values = np.array([1.0, *[0.0] * (size - 1)])
    low, high = difference_interval(values, Confidence(level, "bca"))
    assert low <= 0 < values.mean() < high
