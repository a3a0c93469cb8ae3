"""Which settings a run keeps from its beginning, and which may be named anew when it goes on."""

from __future__ import annotations

import os

from localdistill.config import Config
from localdistill.cores import usable_cores

# Settings that may be raised while a run is continued: another night, more patience.
MAY_GROW = ("rounds", "stop_after")
# Settings of [train] that are chosen for the memory that is free.
_PASSES = ("micro_batch_tokens", "keep_activations")


def freeze(config: Config, saved: Config | None = None) -> Config:
    """Replace what is left to the machine by numbers: those of ``saved``, else this machine's.

    Slots, GPU layers, weights and micro-batches depend on the model: where ``saved`` has none they
    stay open.
    """
    cores = len(os.sched_getaffinity(0))
    generate, verify = config.generate, config.verify
    old_generate = saved.generate if saved else None
    old_verify = saved.verify if saved else None
    slots = generate.slots or (old_generate.slots if old_generate else None)
    layers = generate.gpu_layers
    if layers is None and old_generate is not None:
        layers = old_generate.gpu_layers
    threads = generate.threads or (old_generate.threads if old_generate else None) or usable_cores()
    workers = verify.workers or (old_verify.workers if old_verify else None) or cores
    weights = generate.weights
    if weights == "auto" and old_generate is not None:
        weights = old_generate.weights
    sizes = {"slots": slots, "threads": threads, "gpu_layers": layers, "weights": weights}
    train, old_train = config.train, saved.train if saved else None
    passes = {
        name: getattr(train if getattr(train, name) is not None else old_train, name, None)
        for name in _PASSES
    }
    return config.model_copy(
        update={
            "generate": generate.model_copy(update=sizes),
            "verify": verify.model_copy(update={"workers": workers}),
            "train": train.model_copy(update=passes),
        }
    )


def grown(config: Config, other: Config) -> Config:
    """``config`` with what ``other`` has raised; 0 of ``stop_after`` is the most patience."""
    more = {}
    for name in MAY_GROW:
        old, new = getattr(config, name), getattr(other, name)
        if old and (new > old or not new):
            more[name] = new
    return config.model_copy(update=more)


def with_sizes(config: Config, other: Config) -> Config:
    """``config`` with ``other``'s micro-batches, and slots where texts need not be the same."""
    passes = {name: getattr(other.train, name) for name in _PASSES}
    changed: dict[str, object] = {"train": config.train.model_copy(update=passes)}
    if not config.deterministic:
        slots = {"slots": other.generate.slots}
        changed["generate"] = config.generate.model_copy(update=slots)
    return config.model_copy(update=changed)
