"""What every trainer is given and gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from localdistill.events import Callback
from localdistill.types import TrainingExample

STAGE = "train"  # the name under which a trainer reports its progress

# Activations that are kept for the way back; the others are computed again. ``products``: see
# ``activations``.
Kept = Literal["all", "products", "none"]


class TrainSettings(BaseModel):
    """How an adapter is trained; with the examples, everything that decides its weights."""

    model_config = ConfigDict(frozen=True)

    model: Path  # Hugging Face folder with the 16-bit master weights
    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=16, ge=1)  # the adapter's delta is scaled by alpha / rank
    learning_rate: float = Field(default=1e-4, ge=0, allow_inf_nan=False)  # 0: a delta of zero
    epochs: int = Field(default=1, ge=1)
    batch_size: int = Field(default=8, ge=1)  # examples
    gradient_accumulation: int = Field(default=1, ge=1)  # batches to one step of the optimiser
    max_length: int = Field(default=2048, ge=8)  # tokens; longer examples are left out
    warmup_ratio: float = Field(default=0.05, ge=0, le=1)  # share of all steps
    weight_decay: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    load_in_4bit: bool = True
    # Of one pass forward and back, padding included; None: chosen
    micro_batch_tokens: int | None = Field(default=None, ge=8)
    # Activations are kept, and not computed again on the way back; or the results of products are;
    # None: chosen
    keep_activations: bool | Literal["products"] | None = None
    held_out: float = Field(default=0.1, ge=0, lt=1)  # at most this share of problems, for dev loss
    # Held-out losses in a row above the lowest, after which training stops and the adapter with the
    # lowest is kept; 0: it goes on to its end, as that loss rises long before pass@1 falls (see
    # docs/decisions/0005-training.md)
    patience: int = Field(default=0, ge=0)
    checkpoint_every: int | None = Field(default=None, ge=1)  # steps; None: by time only
    seed: int
    threads: int | None = Field(default=None, ge=1)  # CPU threads; None: PyTorch's own choice
    # When training ends with the steps that it has done by then, as ``time.monotonic`` has it; the
    # learning rate falls to its end by then
    until: float | None = None
    deterministic: bool = False  # on a GPU: slower kernels that always add in the same order


class TrainResult(BaseModel):
    """What came out of a training."""

    model_config = ConfigDict(frozen=True)

    examples: int  # that were trained on, each once an epoch
    trained_tokens: int  # tokens that the loss was taken on, over all epochs
    steps: int  # of the optimiser
    first_loss: float  # nats a token, mean over the first tenth of the steps
    last_loss: float  # the same over the last tenth
    tokens_per_second: float  # prompts included, padding and loading not
    peak_memory_mb: float  # resident memory of the process (MiB)
    peak_gpu_memory_mb: float | None = None  # MiB
    # Nats a token on what was held out, of the base and of the adapter that is kept; None where
    # nothing was
    held_out_before: float | None = None
    held_out_after: float | None = None
    kept_step: int | None = None  # after which the adapter that is kept stood; None: the last
    planned_steps: int | None = None  # None: as many as ``steps``
    out_of_time: bool = False  # it ended before the last of them, as its time was over


@dataclass(frozen=True)
class Saved:
    """Where a training leaves what it needs to go on after an interruption.

    ``fingerprint`` stands for everything that decides the adapter: training goes on only from what
    carries the same one.
    """

    folder: Path
    fingerprint: str


class Trainer(Protocol):
    """What a trainer's module defines."""

    def train(
        self,
        settings: TrainSettings,
        examples: Sequence[TrainingExample],
        folder: Path,
        callback: Callback,
        *,
        saved: Saved | None = None,
    ) -> TrainResult:
        """Train on ``examples`` and write a PEFT adapter into the empty ``folder``.

        Beside it go ``training.json`` and, where something was held out, ``held_out.jsonl`` (see
        ``record``). With ``saved``, an interrupted training goes on from its last checkpoint; these
        are named as ``checkpoint`` does: other files in their folder are somebody else's.

        Raises:
            ConfigError: no example can be trained on with these settings.
            ModelError: the model cannot be used.
            MemoryShortage: even one example at a time does not fit.
            TrainingDiverged: the loss exploded or is no number.
            StageFailed: the training went wrong.
        """
