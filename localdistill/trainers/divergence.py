"""When a training has gone astray.

A loss or gradient that is no finite number is the plain case. A loss can also explode and stay
finite: the weights have been thrown far off by steps that were too large, the model says nonsense,
and what comes out would be worse than what went in. The rule has to be silent on everything else:

* The loss of one step is that of a handful of answers, and such handfuls differ by a factor of two
  or three. So what is looked at is the mean of the last four steps.
* A model begins well below 1 nat a token on its own answers, or on answers like its own. Where the
  loss has grown to twice the value at the start and two nats more, each token of an answer has
  become at least e^2 = 7.4 times less likely. No rate that is merely too high for good results does
  that; weights that were thrown off do it many times over, towards ln(vocabulary) = 12 nats and
  beyond. The two nats keep a start near zero from making any loss at all an explosion; twice the
  start leaves room to a model that begins badly.
* The start is the held-out loss of the base where there is one, else the mean of the first steps.
  They may have exploded themselves, except for the very first, whose loss was taken before any
  weight changed: the start is at most three times that one, and one nat.
"""

from __future__ import annotations

import math

from localdistill.errors import TrainingDiverged
from localdistill.trainers.state import TrainState

_LOOKED_AT = 4  # steps
# With float16 the scale of gradients is sought by overflowing: from 2^16 down, halved each time.
_MOST_OVERFLOWS = 32


def check_finite(value: float, what: str, step: int) -> None:
    """Refuse a ``what`` of step ``step`` (from 1) that is no finite number.

    Raises:
        TrainingDiverged: it is none.
    """
    if not math.isfinite(value):
        raise TrainingDiverged(
            f"train: diverged: the {what} of step {step} is {value}. "
            "Try a lower train.learning_rate; with 0 the cause is the model or its data."
        )


def check(state: TrainState, learning_rate: float) -> None:
    """Refuse to go on once the loss has exploded.

    Raises:
        TrainingDiverged: it has.
    """
    if state.overflows > _MOST_OVERFLOWS:
        raise TrainingDiverged(
            f"train: diverged: the gradients of {state.overflows} steps in a row overflowed. "
            f"Try a train.learning_rate below {learning_rate:g}."
        )
    if state.step < _LOOKED_AT:
        return
    start = _start(state)
    now = {f"the loss of the last {_LOOKED_AT} steps": _mean(state.losses[-_LOOKED_AT:])}
    if state.held_out:
        now["the held-out loss"] = state.held_out[-1].loss
    for what, loss in now.items():
        if loss > 2 * start + 2:
            raise TrainingDiverged(
                f"train: diverged: after step {state.step} {what} is {loss:.2f} nats a token, "
                f"and it was {start:.2f} at the start. "
                f"Try a train.learning_rate below {learning_rate:g}, or a longer "
                "train.warmup_ratio."
            )


def _start(state: TrainState) -> float:
    if state.held_out:
        return state.held_out[0].loss
    return min(_mean(state.losses[:_LOOKED_AT]), 3 * state.losses[0] + 1)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
