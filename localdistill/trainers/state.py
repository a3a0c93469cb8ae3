"""How far a training has got: all that is not a tensor, as a checkpoint keeps it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class HeldOutLoss(BaseModel):
    """The loss on what was held out after ``step`` steps (nats a token)."""

    model_config = ConfigDict(frozen=True)

    step: int
    loss: float


class TrainState(BaseModel):
    """Grows from step to step."""

    losses: list[float] = Field(default_factory=list)  # of each step done, nats a token
    rates: list[float] = Field(default_factory=list)  # its learning rate
    held_out: list[HeldOutLoss] = Field(default_factory=list)  # the first one: of the base
    # Of the adapter that is kept: the lowest since training began, or the last if it never stops
    kept: HeldOutLoss | None = None
    stopped: bool = False  # before its last step, as the held-out loss rose
    out_of_time: bool = False  # or as its time was over
    micro_batch_tokens: int  # halved where memory ran out
    overflows: int = 0  # steps in a row whose scaled gradient overflowed
    # That the latest steps took, where training must end at a moment: see ``pace``
    seconds: list[float] = Field(default_factory=list)

    @property
    def step(self) -> int:
        """How many steps are done."""
        return len(self.losses)

    def take_held_out(self, loss: float, patience: int) -> bool:
        """Note the held-out loss after the steps so far; returns whether these weights are kept.

        With a ``patience`` the lowest loss is kept, and training is ``stopped`` where it has been
        above that so many times in a row; without (0), the last is. The loss of the base is no
        candidate: somebody who trains wants an adapter, and whether that is
        better than nothing is for the evaluation to say. Of equal losses the later one counts.
        """
        measured = HeldOutLoss(step=self.step, loss=loss)
        self.held_out.append(measured)
        if self.step == 0:
            return False
        if not patience or self.kept is None or loss <= self.kept.loss:
            self.kept = measured
            return True
        since = sum(other.step > self.kept.step for other in self.held_out)
        self.stopped = since >= patience
        return False
