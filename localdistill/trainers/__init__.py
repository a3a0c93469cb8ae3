"""Fine-tuning. A trainer is one module of this package with ``train``; its name is the file's."""

from __future__ import annotations

import difflib
import functools
import importlib
import pkgutil
from typing import cast

from localdistill.errors import ConfigError
from localdistill.trainers.base import Trainer, TrainResult, TrainSettings

__all__ = ["TrainResult", "TrainSettings", "Trainer", "load"]


def load(name: str) -> Trainer:
    """The trainer ``name``.

    Raises:
        ConfigError: there is none; the nearest valid name is given.
    """
    found = _trainers()
    if name in found:
        return found[name]
    near = difflib.get_close_matches(name.lower(), found, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(sorted(found))}."
    raise ConfigError(f"There is no trainer {name}. {hint}")


@functools.cache
def _trainers() -> dict[str, Trainer]:
    # Looking costs little: a trainer imports its heavy libraries inside ``train``.
    found: dict[str, Trainer] = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        if hasattr(loaded, "train"):
            found[module.name] = cast("Trainer", loaded)
    return found
