"""What a comparison can show: by formula, by simulation, and at its ends."""

import math

import numpy as np
import pytest

from localdistill.power import Difficulty, fit, minimum_detectable_effect, power, standard_error

EVEN = Difficulty(mean=0.5, correlation=0.4)
UNEVEN = Difficulty(mean=0.5, correlation=0.4, spread=1.5)


def test_without_effect_the_error_is_that_of_the_samples_alone():
    # E[p(1-p)] of a Beta with this mean and correlation is m (1-m) (1-rho), for each model.
    expected = math.sqrt(2 * 0.25 * 0.6 / 8 / 164)
    assert standard_error(0.0, 164, 8, EVEN) == pytest.approx(expected, rel=0.02)


def test_without_effect_a_false_better_has_half_of_five_percent():
    assert power(0.0, 164, 8, EVEN) == pytest.approx(0.025, abs=1e-3)


def test_power_rises_with_the_effect_problems_and_samples_and_falls_with_unevenness():
    base = power(0.03, 100, 4, EVEN)
    assert power(0.06, 100, 4, EVEN) > base
    assert power(0.03, 400, 4, EVEN) > base
    assert power(0.03, 100, 16, EVEN) > base
    assert power(0.03, 100, 4, UNEVEN) < base


def test_the_minimum_detectable_effect_has_the_power_that_was_wanted():
    for wanted in (0.5, 0.8, 0.95):
        effect = minimum_detectable_effect(120, 4, UNEVEN, wanted)
        assert power(effect, 120, 4, UNEVEN) == pytest.approx(wanted, abs=5e-3)


def test_more_problems_show_less():
    few, many = (minimum_detectable_effect(n, 4, EVEN) for n in (50, 200))
    assert many == pytest.approx(few / 2, rel=0.05)  # one over the root


def test_what_a_handful_of_problems_cannot_show():
    assert minimum_detectable_effect(2, 1, Difficulty(mean=0.9, correlation=0.4)) is None


def test_a_shift_has_the_effect_it_was_made_for_however_uneven():
    before, after = UNEVEN.shifted(0.05)
    assert after.mean() - before.mean() == pytest.approx(0.05, abs=1e-4)
    assert (after < before).any()


def test_an_effect_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="no shift"):
        EVEN.shifted(0.6)


@pytest.mark.parametrize("correlation", [0.1, 0.5, 0.8])
def test_the_fit_finds_what_counts_were_drawn_with(correlation):
    truth = Difficulty(mean=0.3, correlation=correlation)
    generator = np.random.default_rng(5)
    passed = generator.binomial(6, truth.probabilities()[:4000])
    found = fit({str(number): (int(count), 6) for number, count in enumerate(passed)})
    assert found.mean == pytest.approx(0.3, abs=0.02)
    assert found.correlation == pytest.approx(correlation, abs=0.03)


def test_the_fit_stays_inside_where_all_pass_or_all_are_alike():
    for counts in ({"a": (4, 4), "b": (4, 4)}, {"a": (2, 4), "b": (2, 4), "c": (2, 4)}):
        found = fit(counts)
        assert 0 < found.mean < 1
        assert 0 < found.correlation < 1


def test_one_problem_is_no_set():
    with pytest.raises(ValueError, match="fewer than two"):
        fit({"a": (1, 4), "b": (1, 1)})
