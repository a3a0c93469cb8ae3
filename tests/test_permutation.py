"""The p-value of a paired difference, against counting by hand and by formula."""

import itertools
import math

import numpy as np
import pytest

from localdistill.permutation import sign_flip_p


def test_it_is_the_share_of_signs_that_reach_as_far():
    moved = [0.5, 0.25, 0.25, -0.125, 1.0]
    sums = [abs(np.dot(signs, moved)) for signs in itertools.product((1, -1), repeat=5)]
    expected = np.mean([total >= abs(sum(moved)) for total in sums])
    assert sign_flip_p(np.array([*moved, 0.0, 0.0])) == pytest.approx(expected)


@pytest.mark.parametrize("problems", [1, 5, 6, 12])
def test_where_all_point_one_way_it_is_the_sign_test(problems):
    assert sign_flip_p(np.full(problems, 0.25)) == pytest.approx(2 / 2**problems)


def test_nothing_that_differs_is_no_evidence():
    assert sign_flip_p(np.zeros(50)) == 1.0


def test_it_is_the_same_whichever_model_comes_first_and_at_each_call():
    differences = np.random.default_rng(1).normal(0.1, 1, 60)
    assert sign_flip_p(differences) == sign_flip_p(-differences) == sign_flip_p(differences)


def test_many_problems_agree_with_the_normal_approximation():
    differences = np.random.default_rng(2).normal(0.15, 1, 400)
    z = differences.sum() / math.sqrt((differences**2).sum())
    assert sign_flip_p(differences) == pytest.approx(math.erfc(abs(z) / math.sqrt(2)), abs=0.01)


def test_it_is_never_zero():
    assert 0 < sign_flip_p(np.full(200, 0.5)) < 1e-4


def test_of_models_that_are_alike_one_in_twenty_falls_below_five_percent():
    generator = np.random.default_rng(3)
    below = [sign_flip_p(generator.normal(0, 1, 12)) < 0.05 for _ in range(2000)]
    assert np.mean(below) == pytest.approx(0.05, abs=0.015)
