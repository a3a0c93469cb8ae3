"""How much goes through the model at once in training, and which activations are kept.

From the model's header and the memory that is free now. Swap is never counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from localdistill.errors import MemoryShortage
from localdistill.memory import size
from localdistill.stages.train_shape import Trainable
from localdistill.trainers.base import Kept
from localdistill.trainers.train_memory import (
    Place,
    TrainNeed,
    TrainTask,
    is_large,
    need,
    preferred,
    together,
)

Keep = bool | Literal["products"]

# What is left for others: the machine's own work, and what is known not exactly.
MARGIN = 0.1
# Where a GPU keeps all activations, which Unsloth is not usually run with and nobody has measured
# here.
_UNTRIED_MARGIN = 0.3
_STEP = 128  # tokens that a micro-batch is chosen in
_SHORT = 128  # tokens of an example; shorter ones are not worth to be trained on
_NAMES: dict[Kept, str] = {"all": "true", "products": '"products"', "none": "false"}


@dataclass(frozen=True)
class Wish:
    """What is to be trained; None: to be chosen."""

    rank: int = 16
    max_length: int = 2048
    batch_size: int = 8
    micro_batch_tokens: int | None = None
    keep_activations: Keep | None = None
    four_bit: bool = True


@dataclass(frozen=True)
class TrainSizing:
    """What training takes."""

    task: TrainTask
    need: TrainNeed
    place: Place
    free: int  # bytes that were free

    @property
    def keep_activations(self) -> Keep:
        """As the setting says it."""
        return "products" if self.task.kept == "products" else self.task.kept == "all"


def choose(model: Trainable, wish: Wish, place: Place, free: int) -> TrainSizing:
    """The fastest way to train ``model`` where ``free`` bytes can be taken.

    What is kept is chosen first, then the most tokens that go through at once; what the user has
    set stays as it is.

    Raises:
        MemoryShortage: that does not fit; the message has the figures and what would.
    """
    found = _fitting(model, wish, place, free)
    if found is None:
        least = _least(model, wish, place, free)
        raise MemoryShortage(_refusal(model, wish, least))
    return found


def longest_that_fits(model: Trainable, wish: Wish, place: Place, free: int) -> int:
    """Tokens of the longest example that can be trained on; 0: not even a short one."""

    def fits(length: int) -> bool:
        return _fits(model, replace(wish, max_length=length), place, free)

    return _most(model.shape.context, fits)


def _fitting(model: Trainable, wish: Wish, place: Place, free: int) -> TrainSizing | None:
    """The best that fits; None if nothing does."""
    for kept in _ways(model, wish, place):
        room = usable(free, kept, place)

        def sized(tokens: int, kept: Kept = kept) -> TrainSizing:
            return _sizing(model, wish, place, free, kept, tokens)

        def fits(steps: int, room: int = room, sized: Callable[[int], TrainSizing] = sized) -> bool:
            return sized(steps * _STEP).need.peak <= room

        most = _tokens(model, wish, kept)
        if sized(most).need.peak <= room:
            return sized(most)
        if wish.micro_batch_tokens is None and (steps := _most(most // _STEP, fits)):
            return sized(steps * _STEP)
    return None


def _fits(model: Trainable, wish: Wish, place: Place, free: int) -> bool:
    return _fitting(model, wish, place, free) is not None


def usable(free: int, kept: Kept, place: Place) -> int:
    """Bytes of ``free`` that a plan may take."""
    untried = place.gpu and kept == "all"
    return int(free * (1 - (_UNTRIED_MARGIN if untried else MARGIN)))


def _ways(model: Trainable, wish: Wish, place: Place) -> tuple[Kept, ...]:
    if wish.keep_activations is None:
        return preferred(model.shape, place)
    if wish.keep_activations == "products":
        return ("none",) if place.gpu else ("products",)  # as the trainer takes it
    return ("all",) if wish.keep_activations else ("none",)


def _tokens(model: Trainable, wish: Wish, kept: Kept) -> int:
    """The most tokens that are put through at once."""
    return wish.micro_batch_tokens or together(kept, large=is_large(model.shape))


def _sizing(
    model: Trainable, wish: Wish, place: Place, free: int, kept: Kept, tokens: int
) -> TrainSizing:
    task = TrainTask(
        rank=wish.rank,
        longest=min(wish.max_length, model.shape.context),
        tokens=tokens,
        kept=kept,
        rows=wish.batch_size,
        four_bit=wish.four_bit,
    )
    found = need(model.shape, task, place, model.stored, stays=model.value_bytes == place.width)
    return TrainSizing(task, found, place, free)


def _least(model: Trainable, wish: Wish, place: Place, free: int) -> TrainSizing:
    """What takes the least of all that the user's settings allow."""
    tokens = wish.micro_batch_tokens or _STEP
    ways = _ways(model, wish, place)
    return min(
        (_sizing(model, wish, place, free, kept, tokens) for kept in ways),
        key=lambda sizing: sizing.need.peak,
    )


def _refusal(model: Trainable, wish: Wish, least: TrainSizing) -> str:
    task, place, free = least.task, least.place, least.free
    where = "the GPU's memory" if place.gpu else "memory"
    text = (
        f"{model.path}: to train it with rank {task.rank} and examples of up to {task.longest:,} "
        f"tokens takes {size(least.need.peak)} of {where}. Of {size(free)} that are free "
        f"{size(usable(free, task.kept, place))} can be used."
    )
    return f"{text} {_what_fits(model, wish, place, free)}"


def _what_fits(model: Trainable, wish: Wish, place: Place, free: int) -> str:
    """The nearest setting that fits."""

    def fits(**change: Any) -> bool:
        return _fits(model, replace(wish, **change), place, free)

    end = ", or close other programs."
    if wish.keep_activations not in (None, False):
        for kept in ("products", False) if not place.gpu else (False,):
            if kept != wish.keep_activations and fits(keep_activations=kept):
                name = _NAMES["products" if kept else "none"]
                return f"Set train.keep_activations = {name}{end}"
    if wish.micro_batch_tokens:
        fewer = _most(wish.micro_batch_tokens - 1, lambda n: fits(micro_batch_tokens=n))
        if fewer:
            return f"Lower train.micro_batch_tokens to {fewer}{end}"
    freed = replace(wish, micro_batch_tokens=None, keep_activations=None)
    leave = _leave_out(wish)
    longest = longest_that_fits(model, freed, place, free)
    if leave and longest >= min(wish.max_length, model.shape.context):
        return f"Leave {leave} out{end}"
    if longest >= _SHORT:
        also = f" and leave {leave} out" if leave else ""
        return f"Lower train.max_length to {longest}{also}{end}"
    short = replace(freed, max_length=_SHORT)
    if rank := _most(wish.rank - 1, lambda n: _fits(model, replace(short, rank=n), place, free)):
        return f"Lower train.rank to {rank} and train.max_length to {_SHORT}{end}"
    return "Close other programs, or take a smaller model."


def _leave_out(wish: Wish) -> str:
    """The settings that could be left to be chosen."""
    settings = {
        "train.micro_batch_tokens": wish.micro_batch_tokens,
        "train.keep_activations": wish.keep_activations,
    }
    return " and ".join(name for name, value in settings.items() if value is not None)


def _most(limit: int, fits: Callable[[int], bool]) -> int:
    """The largest of 1 to ``limit`` that fits, where all smaller ones do; 0 if none does."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low
