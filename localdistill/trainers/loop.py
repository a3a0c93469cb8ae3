"""The training loop: what happens between a model with an adapter and trained weights.

A plain loop, because a trainer that pads every batch to its longest of random examples spends most
of its time on padding; see docs/decisions/0005-training.md.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from localdistill.errors import StageFailed
from localdistill.events import Callback, Scalar, StageProgress
from localdistill.trainers.base import STAGE, TrainSettings
from localdistill.trainers.batches import Step, pad
from localdistill.trainers.chat_tokens import TokenizedExample
from localdistill.trainers.schedule import learning_rate

_MAX_GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Precision:
    """``autocast``: the type of matrix products (None: float32); ``scaled``: gradients as well."""

    autocast: Any  # torch.dtype | None
    scaled: bool = False  # float16 cannot hold small gradients


@dataclass(frozen=True)
class Fit:
    """What a training gave: the mean loss of each step (nats a token) and how long all took (s)."""

    losses: list[float]
    seconds: float


def fit(
    model: Any,
    steps: Sequence[Step],
    settings: TrainSettings,
    precision: Precision,
    pad_token: int,
    callback: Callback,
    *,
    done: int = 0,
) -> Fit:
    """Train what requires a gradient in ``model``, one optimiser step for each of ``steps``.

    ``done`` is how many examples count as dealt with before the first step.

    Raises:
        StageFailed: a loss or gradient is not a finite number.
    """
    import torch

    weights = [weight for weight in model.parameters() if weight.requires_grad]
    device = weights[0].device
    optimiser = torch.optim.AdamW(
        weights, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    scaler = torch.amp.GradScaler(device.type, enabled=precision.scaled)
    losses: list[float] = []
    tokens = 0
    started = time.monotonic()
    for number, step in enumerate(steps):
        rate = learning_rate(number, len(steps), settings.learning_rate, settings.warmup_ratio)
        for group in optimiser.param_groups:
            group["lr"] = rate
        loss = sum(
            _backward(model, part, step.response_tokens, precision, scaler, pad_token)
            for part in step.parts
        )
        scaler.unscale_(optimiser)
        norm = torch.nn.utils.clip_grad_norm_(weights, _MAX_GRADIENT_NORM)
        # A scaled gradient may overflow: the scaler then leaves the step out and scales less.
        if not precision.scaled:
            _check_finite(float(norm), "gradient", number)
        _check_finite(loss, "loss", number)
        scaler.step(optimiser)
        scaler.update()
        optimiser.zero_grad(set_to_none=True)
        losses.append(loss)
        tokens += step.tokens
        done += step.examples
        speed = round(tokens / (time.monotonic() - started))
        info: dict[str, Scalar] = {"loss": round(loss, 4), "tokens/s": speed}
        callback(StageProgress(stage=STAGE, done=done, info=info))
    return Fit(losses, time.monotonic() - started)


def _backward(
    model: Any,
    part: Sequence[TokenizedExample],
    response_tokens: int,
    precision: Precision,
    scaler: Any,
    pad_token: int,
) -> float:
    """Add the gradients of one micro-batch and return its share of the step's mean loss.

    The divisor is the number of response tokens in the whole step, so that a token weighs the same
    however the step was cut into micro-batches.
    """
    import torch

    batch = pad(part, pad_token)
    device = model.device
    tokens = torch.tensor(batch.tokens, device=device)
    lengths = torch.tensor([len(example.tokens) for example in part], device=device)
    mask = torch.arange(tokens.shape[1], device=device)[None, :] < lengths[:, None]
    with torch.autocast(
        device.type, dtype=precision.autocast, enabled=precision.autocast is not None
    ):
        loss = model(
            input_ids=tokens,
            attention_mask=mask.long(),
            labels=torch.tensor(batch.labels, device=device),
            num_items_in_batch=torch.tensor(response_tokens, device=device),
            use_cache=False,
        ).loss
    scaler.scale(loss).backward()
    return float(loss.detach())


def _check_finite(value: float, what: str, step: int) -> None:
    # The negated comparison also holds for NaN.
    if not abs(value) < float("inf"):
        raise StageFailed(
            f"train: the {what} of step {step + 1} is {value}, so the adapter would be worthless. "
            "Try a lower train.learning_rate; with 0 the cause is the model or its data."
        )
