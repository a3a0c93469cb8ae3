"""Which curves are taken for a divergence, and which are not."""

from __future__ import annotations

import random

import pytest

from localdistill.errors import StageFailed, TrainingDiverged
from localdistill.trainers import divergence
from localdistill.trainers.state import HeldOutLoss, TrainState


def run(losses, held_out=()) -> int:
    """Feed ``losses`` one by one; after which step it was said, or 0."""
    state = TrainState(micro_batch_tokens=1, held_out=list(held_out))
    for loss in losses:
        state.losses.append(loss)
        try:
            divergence.check(state, 1e-3)
        except TrainingDiverged:
            return state.step
    return 0


def test_it_ends_the_stage():
    assert issubclass(TrainingDiverged, StageFailed)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_one(value):
    with pytest.raises(TrainingDiverged, match="the gradient of step 3 is"):
        divergence.check_finite(value, "gradient", 3)
    divergence.check_finite(0.0, "gradient", 3)


def test_a_noisy_curve_that_falls_is_none():
    noise = random.Random(0)
    for start in (0.05, 0.3, 1.0, 6.0):
        curve = [start * noise.choice([0.5, 1, 2]) * 0.99**step for step in range(300)]
        assert run(curve) == 0


def test_one_bad_handful_is_none():
    assert run([0.3] * 10 + [6.0] + [0.3] * 10) == 0


def test_a_rate_too_high_for_good_results_is_none():
    assert run([0.3, 0.3, 0.4, 0.9, 1.4, 1.2, 1.0] + [0.9] * 50) == 0


def test_an_explosion_is_said_within_a_few_steps():
    assert 10 < run([0.3] * 10 + [4.0, 8.0, 11.0, 12.0, 12.0]) <= 13


def test_it_is_said_though_the_first_steps_exploded_already():
    base = HeldOutLoss(step=0, loss=0.4)
    assert run([0.3, 5.0, 9.0, 12.0, 12.0], [base]) == 4


def test_it_is_said_though_there_is_no_base_to_compare_with():
    assert run([0.3, 5.0, 9.0, 12.0, 12.0]) == 4


def test_the_held_out_loss_counts_at_once():
    measured = [HeldOutLoss(step=0, loss=0.4), HeldOutLoss(step=4, loss=3.0)]
    assert run([0.3] * 4, measured) == 4


def test_gradients_that_overflow_for_ever_are_one():
    state = TrainState(micro_batch_tokens=1, overflows=33)
    with pytest.raises(TrainingDiverged, match="overflowed"):
        divergence.check(state, 1e-3)
