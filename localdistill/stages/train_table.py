"""What a model's training would take on machines of common sizes."""

from __future__ import annotations

from collections.abc import Iterator

from localdistill.errors import MemoryShortage
from localdistill.stages.train_shape import Trainable
from localdistill.stages.train_sizing import TrainSizing, Wish, choose, longest_that_fits
from localdistill.trainers.train_memory import Place

SIZES = (6, 8, 12, 16, 24)  # GB of 10^9 bytes, all of it free


def machines(width: int) -> Iterator[tuple[str, Place, int]]:
    """Name, place and free bytes of each; ``width`` is that of a CPU's values."""
    for name, place in (("GPU", Place(gpu=True)), ("CPU", Place(gpu=False, width=width))):
        for gigabytes in SIZES:
            yield f"{name}, {gigabytes} GB", place, gigabytes * 10**9


def outcome(
    model: Trainable, wish: Wish, place: Place, free: int
) -> tuple[TrainSizing | None, str | None, int]:
    """What was chosen; or, where nothing fits, why; and the longest example that would fit."""
    longest = longest_that_fits(model, wish, place, free)
    try:
        return choose(model, wish, place, free), None, longest
    except MemoryShortage as error:
        return None, str(error), longest
