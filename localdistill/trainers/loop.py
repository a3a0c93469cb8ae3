"""The training loop: what happens between a model with an adapter and trained weights.

A plain loop, because a trainer that pads every batch to its longest of random examples spends most
of its time on padding; see docs/decisions/0005-training.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from localdistill import control
from localdistill.errors import Stopped
from localdistill.events import Callback, Notice
from localdistill.trainers import divergence
from localdistill.trainers.base import TrainSettings
from localdistill.trainers.batches import Step, pad, padded
from localdistill.trainers.chat_tokens import TokenizedExample
from localdistill.trainers.checkpoint import Checkpoints
from localdistill.trainers.out_of_memory import is_out_of_memory, release, smaller
from localdistill.trainers.pace import Pace
from localdistill.trainers.progress import Progress
from localdistill.trainers.schedule import learning_rate
from localdistill.trainers.snapshot import Weights
from localdistill.trainers.state import TrainState

_MAX_GRADIENT_NORM = 1.0
# Held-out losses an epoch, at most; and how much of the training they may be in all. A token that
# is only looked at costs a third of one that is trained on (Kaplan et al., arXiv 2001.08361).
_LOOKS_AN_EPOCH = 4
_LOOKS_SHARE = 0.1
_LOOK_COST = 1 / 3
# A checkpoint is due after a minute, or later where writing one takes long: 20 times as long.
_CHECKPOINT_S = 60.0
_CHECKPOINT_SHARE = 20
_LEAST = 8  # tokens of a micro-batch, below which nothing is halved


@dataclass(frozen=True)
class Precision:
    """``autocast``: the type of matrix products (None: float32); ``scaled``: gradients as well."""

    autocast: Any  # torch.dtype | None
    scaled: bool = False  # float16 cannot hold small gradients


@dataclass(frozen=True)
class Work:
    """What is trained on, and how much goes through the model at once."""

    steps: Sequence[Step]
    pad_token: int
    micro_batch_tokens: int  # padding included
    held_out_tokens: int = 0  # prompts included
    # Mean loss of the model as it is on what was held out, handed ``micro_batch_tokens``; None:
    # nothing was
    held_out_loss: Callable[[int], float] | None = None
    dealt_with: int = 0  # examples that count as done before the first step


@dataclass(frozen=True)
class Fit:
    """What a training gave; ``seconds`` and ``tokens`` are those of this process."""

    state: TrainState
    tokens: int  # trained on, prompts included and padding not
    seconds: float  # that it took


def fit(
    model: Any,
    work: Work,
    settings: TrainSettings,
    precision: Precision,
    callback: Callback,
    checkpoints: Checkpoints | None = None,
) -> Fit:
    """Train what requires a gradient in ``model``, one optimiser step for each of ``work.steps``.

    It is left with the weights after the last step, or, if the settings have a patience, those of
    the lowest held-out loss. With
    ``checkpoints`` it goes on from the last one.

    Raises:
        TrainingDiverged: a loss or gradient is not a finite number, or the loss exploded.
        MemoryShortage: not even one example at a time fits.
        Stopped: the run is to end; what has been trained is in a checkpoint, if there are any.
    """
    with control.cooperative():
        return _Loop(model, work, settings, precision, callback, checkpoints).run()


class _Loop:
    def __init__(
        self,
        model: Any,
        work: Work,
        settings: TrainSettings,
        precision: Precision,
        callback: Callback,
        checkpoints: Checkpoints | None,
    ) -> None:
        import torch

        self.model, self.work, self.settings = model, work, settings
        self.precision, self.callback, self.checkpoints = precision, callback, checkpoints
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        self.device = weights[0].device
        self.optimiser = torch.optim.AdamW(
            weights, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision.scaled)
        if precision.scaled:
            tell_scale(model, self.scaler)
        self.weights = Weights(model, self.optimiser, self.scaler)
        self.state = TrainState(micro_batch_tokens=work.micro_batch_tokens)
        self.pace = Pace(len(work.steps), settings.until)
        self.best: dict[str, Any] | None = None  # where it is not what the model holds
        self.written = time.monotonic()
        self.pause = _CHECKPOINT_S

    def run(self) -> Fit:
        self.resume()
        state, steps = self.state, self.work.steps
        progress = Progress(steps, self.work.dealt_with, state, self.callback, self.pace.left)
        look_every = self.look_every()
        if look_every and not state.held_out:
            state.take_held_out(self.look(), 0)
        while state.step < len(steps) and not (state.stopped or state.out_of_time):
            step = steps[state.step]
            with progress.training(step):
                began = time.monotonic()
                self.step(step)
                self.pace.took(time.monotonic() - began)
            state.seconds = self.pace.latest
            state.out_of_time = state.step < len(steps) and self.pace.over()
            last = state.step == len(steps) or state.out_of_time
            if look_every and (state.step % look_every == 0 or last):
                self.compare()
            divergence.check(state, self.settings.learning_rate)
            progress.report()
            if not last:
                goes_on = control.goes_on()
                self.checkpoint(at_once=not goes_on)
                if not goes_on:
                    raise Stopped
        if state.out_of_time:
            text = f"Training ended after step {state.step} of {len(steps)}: its time was over."
            self.callback(Notice(message=text))
        elif state.stopped:
            self.callback(Notice(message=_stopped(state, len(steps))))
        if self.best is not None:
            self.weights.put(self.best)
        return Fit(state, progress.tokens, progress.seconds)

    def resume(self) -> None:
        found = self.checkpoints.load() if self.checkpoints else None
        if found is None:
            return
        self.state, tensors = found
        # Or its first step would be taken as if all that were planned were still to come.
        self.pace = Pace(len(self.work.steps), self.settings.until, latest=self.state.seconds)
        # As then, for the same rounding; less where memory has become scarcer since.
        tokens = min(self.state.micro_batch_tokens, self.work.micro_batch_tokens)
        self.state.micro_batch_tokens = tokens
        self.best = self.weights.put_everything(tensors)
        if self.settings.patience and self.best is None and self.state.kept is not None:
            self.best = self.weights.adapter()  # it was the best so far itself
        steps = len(self.work.steps)
        self.callback(Notice(message=f"Training resumed at step {self.state.step + 1} of {steps}."))

    def step(self, step: Step) -> None:
        import torch

        state = self.state
        number = state.step + 1
        rate = learning_rate(
            state.step,
            self.pace.steps(state.step),
            self.settings.learning_rate,
            self.settings.warmup_ratio,
        )
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        loss = self.gradients(step)
        divergence.check_finite(loss, "loss", number)
        self.scaler.unscale_(self.optimiser)
        norm = float(
            torch.nn.utils.clip_grad_norm_(list(self.weights.named.values()), _MAX_GRADIENT_NORM)
        )
        if self.precision.scaled:
            # A scaled gradient may overflow: the scaler then leaves the step out and scales less.
            state.overflows = 0 if norm < float("inf") else state.overflows + 1
        else:
            divergence.check_finite(norm, "gradient", number)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.optimiser.zero_grad(set_to_none=True)
        state.losses.append(loss)
        state.rates.append(rate)

    def gradients(self, step: Step) -> float:
        """Set the gradients of one step and return its loss, with less at once where it must be."""
        while True:
            parts = step.parts(self.settings.batch_size, self.state.micro_batch_tokens)
            try:
                return sum(self.backward(part, step.response_tokens) for part in parts)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # Outside of the handler, whose error holds all that the failed pass had made.
            self.optimiser.zero_grad(set_to_none=True)
            release()
            widest = max(padded(part) for part in parts)
            most = self.state.micro_batch_tokens
            self.go_on_with(smaller(most, widest, len(step.examples[-1].tokens)))

    def go_on_with(self, tokens: int) -> None:
        """Let at most so many tokens through at once from now on, and say so."""
        self.state.micro_batch_tokens = tokens
        text = f"Memory ran out: training goes on with at most {tokens:,} tokens at once"
        text += " (train.micro_batch_tokens), which changes no more than rounding."
        self.callback(Notice(level="warning", message=text))

    def backward(self, part: Sequence[TokenizedExample], response_tokens: int) -> float:
        """Add the gradients of one micro-batch and return its share of the step's mean loss.

        The divisor is the number of response tokens in the whole step, so that a token weighs the
        same however the step was cut into micro-batches.
        """
        import torch

        batch = pad(part, self.work.pad_token)
        autocast = self.precision.autocast
        with torch.autocast(self.device.type, dtype=autocast, enabled=autocast is not None):
            # Padding stands on the right and attention is causal: no mask is needed, and without
            # one attention takes its fastest way.
            loss = self.model(
                input_ids=torch.tensor(batch.tokens, device=self.device),
                labels=torch.tensor(batch.labels, device=self.device),
                num_items_in_batch=torch.tensor(response_tokens, device=self.device),
                use_cache=False,
            ).loss
        self.scaler.scale(loss).backward()
        return float(loss.detach())

    def look_every(self) -> int:
        """Steps between two held-out losses; 0: nothing was held out."""
        if self.work.held_out_loss is None:
            return 0
        steps = self.work.steps
        trained = sum(step.tokens for step in steps)
        affordable = int(_LOOKS_SHARE * trained / (_LOOK_COST * self.work.held_out_tokens))
        looks = max(1, min(_LOOKS_AN_EPOCH * self.settings.epochs, affordable))
        return -(-len(steps) // looks)

    def look(self) -> float:
        assert self.work.held_out_loss is not None  # noqa: S101 - see look_every
        while True:
            try:
                loss = self.work.held_out_loss(self.state.micro_batch_tokens)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or self.state.micro_batch_tokens <= _LEAST:
                    raise
            else:
                divergence.check_finite(loss, "held-out loss", self.state.step)
                return loss
            release()
            self.go_on_with(max(_LEAST, self.state.micro_batch_tokens // 2))

    def compare(self) -> None:
        """Measure the held-out loss; keep the weights where it may have to come back to them."""
        if self.state.take_held_out(self.look(), self.settings.patience):
            self.best = None
            ended = self.state.out_of_time or self.state.step == len(self.work.steps)
            if self.settings.patience and not ended:
                self.best = self.weights.adapter()

    def checkpoint(self, *, at_once: bool = False) -> None:
        every = self.settings.checkpoint_every
        started = time.monotonic()
        due = at_once or (bool(every) and self.state.step % (every or 1) == 0)
        if self.checkpoints is None or not (due or started - self.written >= self.pause):
            return
        kept = self.state.kept
        fresh = kept is not None and kept.step == self.state.step  # it is the adapter itself
        tensors = self.weights.everything(None if fresh else self.best)
        try:
            self.checkpoints.save(self.state, tensors)
        except OSError as error:
            text = f"No checkpoint could be written ({error}): training goes on, but could not"
            self.callback(Notice(level="warning", message=f"{text} be resumed from here."))
        self.written = time.monotonic()
        self.pause = max(_CHECKPOINT_S, _CHECKPOINT_SHARE * (self.written - started))


def tell_scale(model: Any, scaler: Any) -> None:
    """Let ``model`` and the modules that it wraps know the ``scaler`` of the loss.

    Unsloth's loss computes the gradient of its own inputs on the way forward already, in float16,
    where what is not scaled by then becomes zero. It asks the causal model for
    ``accelerator_scaler``, which otherwise a trainer of its own sets
    (``_unsloth_attach_accelerator_scaler`` in unsloth/models/_utils.py).
    """
    import torch

    seen: list[Any] = []
    left = [model]
    while left:
        module = left.pop()
        if isinstance(module, torch.nn.Module) and not any(module is other for other in seen):
            seen.append(module)
            module.accelerator_scaler = scaler
            left += [getattr(module, name, None) for name in ("base_model", "model")]


def _stopped(state: TrainState, steps: int) -> str:
    assert state.kept is not None  # noqa: S101 - what it was stopped for
    text = f"Stopped after step {state.step} of {steps}: the held-out loss rises. Kept is the"
    return f"{text} adapter after step {state.kept.step} ({state.kept.loss:.4f} nats a token)."
