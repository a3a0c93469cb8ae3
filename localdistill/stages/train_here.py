"""The size of a training on the machine that this process runs on."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from localdistill import gpus, memory
from localdistill.config import Config, TrainConfig
from localdistill.stages.train_shape import Trainable, trainable
from localdistill.stages.train_sizing import TrainSizing, Wish, choose
from localdistill.trainers.base import TrainSettings
from localdistill.trainers.cpu import bytes_of_a_value
from localdistill.trainers.train_memory import Place

Available = Callable[[], int]
Settings = TypeVar("Settings", bound=TrainSettings)


def place() -> tuple[Place, gpus.Gpu | None]:
    """Where a training would run: on the first GPU that NVML knows, or on the processor.

    It needs a PyTorch that was built for GPUs; of a GPU that NVML does not know nothing is used.
    """
    found = gpus.gpus()
    if found and _torch_uses_gpus():
        return Place(gpu=True), found[0]
    return Place(gpu=False, width=bytes_of_a_value()), None


def _torch_uses_gpus() -> bool:
    # To import it would take seconds and half a gigabyte; its version says how it was built.
    try:
        return not importlib.metadata.version("torch").endswith("+cpu")
    except importlib.metadata.PackageNotFoundError:
        return True


def choose_here(model: Trainable, wish: Wish, available: Available | None = None) -> TrainSizing:
    """``choose`` with what is free now.

    Raises:
        MemoryShortage: see ``choose``.
    """
    where, gpu = place()
    free = gpu.free if gpu is not None else (available or memory.available_bytes)()
    return choose(model, wish, where, free)


def wish_of(train: TrainConfig | TrainSettings) -> Wish:
    """What a configuration or a request asks for."""
    return Wish(
        rank=train.rank,
        max_length=train.max_length,
        batch_size=train.batch_size,
        micro_batch_tokens=train.micro_batch_tokens,
        keep_activations=train.keep_activations,
        # A run always trains on 4 bits.
        four_bit=train.load_in_4bit if isinstance(train, TrainSettings) else True,
    )


def settled(config: Config, master: Path) -> Config:
    """A run's configuration with its micro-batches chosen; what is set already stays.

    Raises:
        MemoryShortage: see ``choose``.
    """
    chosen = _chosen(choose_here(trainable(master), wish_of(config.train)))
    return config.model_copy(update={"train": config.train.model_copy(update=chosen)})


def sized(settings: Settings, available: Available | None = None) -> Settings:
    """``settings`` with what they leave open chosen for the memory that is free now.

    Raises:
        ModelError: the model's folder cannot be used.
        MemoryShortage: see ``choose``.
    """
    sizing = choose_here(trainable(settings.model), wish_of(settings), available)
    return settings.model_copy(update=_chosen(sizing))


def _chosen(sizing: TrainSizing) -> dict[str, object]:
    return {
        "micro_batch_tokens": sizing.task.tokens,
        "keep_activations": sizing.keep_activations,
    }
