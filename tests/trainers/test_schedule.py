"""The learning rate: up in a line, down in half a cosine."""

from __future__ import annotations

import pytest

from localdistill.trainers.schedule import learning_rate


def rates(steps: int, warmup: float) -> list[float]:
    return [learning_rate(step, steps, 1e-3, warmup) for step in range(steps)]


def test_warmup_is_linear_and_ends_at_the_peak():
    assert rates(100, 0.05)[:5] == pytest.approx([2e-4, 4e-4, 6e-4, 8e-4, 1e-3])
    assert rates(100, 0.05)[5] == pytest.approx(1e-3)


def test_the_rest_is_half_a_cosine():
    values = rates(100, 0.0)
    assert values[0] == pytest.approx(1e-3)
    assert values[50] == pytest.approx(5e-4)
    assert values == sorted(values, reverse=True)
    assert 0 < values[-1] < 1e-5


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("warmup", [0.0, 0.05, 1.0])
def test_every_step_of_a_short_training_has_an_effect(steps, warmup):
    assert all(0 < rate <= 1e-3 for rate in rates(steps, warmup))


def test_a_peak_of_zero_stays_zero():
    assert learning_rate(3, 10, 0.0, 0.05) == 0
