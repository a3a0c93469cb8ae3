"""What a training tells while it works: loss, rate, speed, memory, and the time that is left."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

import psutil

from localdistill import control
from localdistill.events import Callback, Scalar, StageProgress
from localdistill.trainers.base import STAGE
from localdistill.trainers.batches import Step
from localdistill.trainers.state import TrainState


class Progress:
    """Counts what this process trains, and reports it after each step.

    ``done`` is how many examples were dealt with before the first of ``steps``; ``left`` tells the
    seconds until training has to end, if it has to.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        done: int,
        state: TrainState,
        callback: Callback,
        left: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._state = state
        self._callback = callback
        self._time_left = left
        self._done = done + sum(len(step.examples) for step in steps[: state.step])
        self._left = sum(step.tokens for step in steps[state.step :])
        self._began = time.monotonic() - control.paused_s()
        self._process = psutil.Process()
        self.tokens = 0  # trained on, prompts included and padding not
        self.seconds = 0.0  # of training, held-out losses and checkpoints not included

    @contextlib.contextmanager
    def training(self, step: Step) -> Iterator[None]:
        """Count ``step``, which is trained on in the block."""
        began = time.monotonic()
        yield
        self.seconds += time.monotonic() - began
        self.tokens += step.tokens
        self._left -= step.tokens
        self._done += len(step.examples)

    def report(self) -> None:
        """Tell where training is."""
        state = self._state
        info: dict[str, Scalar] = {"loss": round(state.losses[-1], 4)}
        if state.held_out:
            info["held-out loss"] = round(state.held_out[-1].loss, 4)
        info["learning rate"] = state.rates[-1]
        info["tokens/s"] = round(self.tokens / self.seconds)
        info["memory GB"] = round(self._process.memory_info().rss / 1e9, 2)
        on_gpu = _gpu_bytes()
        if on_gpu is not None:
            info["GPU memory GB"] = round(on_gpu / 1e9, 2)
        # By tokens: steps differ in length by a factor of ten.
        rate = (time.monotonic() - control.paused_s() - self._began) / self.tokens
        limit = self._time_left()
        seconds = rate * self._left if limit is None else min(limit, rate * self._left)
        self._callback(StageProgress(stage=STAGE, done=self._done, seconds_left=seconds, info=info))


def _gpu_bytes() -> int | None:
    import torch

    if not torch.cuda.is_available():
        return None
    taken: int = torch.cuda.memory_reserved()
    return taken
