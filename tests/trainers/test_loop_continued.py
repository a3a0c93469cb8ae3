"""The loop where a training is continued by another process."""

from __future__ import annotations

import pytest

from localdistill import control
from localdistill.errors import Stopped
from localdistill.trainers.base import Saved
from localdistill.trainers.checkpoint import Checkpoints
from localdistill.trainers.pace import Pace
from localdistill.trainers.schedule import learning_rate
from tests.trainers.test_loop import Bigram, train


def stopped_after(steps, monkeypatch, checkpoints, model=None, **how):
    """A training that is stopped after so many steps, with a checkpoint."""
    asked = iter([True] * (steps - 1) + [False])
    with pytest.raises(Stopped), monkeypatch.context() as patched:
        patched.setattr(control, "goes_on", lambda: next(asked))
        train(model or Bigram(), checkpoints=checkpoints, **how)


class Ticking:
    """A clock on which a step of the loop takes two seconds."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def ticking(monkeypatch):
    clock = Ticking()
    forward = Bigram.forward

    def slow(self, *inputs, **named):
        clock.now += 2.0
        return forward(self, *inputs, **named)

    monkeypatch.setattr(Bigram, "forward", slow)
    monkeypatch.setattr("time.monotonic", clock)
    monkeypatch.setattr(Pace.__init__, "__defaults__", (clock, ()))
    return clock


def test_a_training_that_goes_on_and_must_end_in_time_keeps_its_learning_rate(
    tmp_path, monkeypatch, ticking
):
    saved, how = Saved(tmp_path, "this training"), {"repeat": 50, "until": 20.0}
    stopped_after(5, monkeypatch, Checkpoints(saved), **how)
    state = train(Bigram(), checkpoints=Checkpoints(saved), **how)
    # Ten steps fit, and but for the first all of them know it.
    wanted = [learning_rate(step, 10, 0.1, 0.05) for step in range(1, 10)]
    assert state.rates[1:] == pytest.approx(wanted)
