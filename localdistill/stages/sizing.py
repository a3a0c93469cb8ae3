"""How many samples are decoded together, over how large a cache, and which layers go to a GPU.

From the header of the model's file and the memory that is free now. Swap is never counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from localdistill.backends.llama_memory import CELLS, ModelShape, Need, need, rounded
from localdistill.config import MAX_SLOTS
from localdistill.errors import MemoryShortage
from localdistill.gpus import Gpu
from localdistill.memory import size
from localdistill.problems.prompt import messages
from localdistill.sampling import Weights
from localdistill.stages.offload import GPU_BATCH, gpu_layers, on_gpus
from localdistill.types import Problem

# On a CPU more gain little: 0.5B model, 2 cores, 81 tok/s with 16, 85 with 32.
DEFAULT_SLOTS = 16
# A GPU has more arithmetic to spare for the weights that it reads in a step. Not measured here.
GPU_SLOTS = 64
# With fewer a pass waits for weights to be read, of which there are more in 16 bits; and with fewer
# than two for each thread (by calculation: more threads share the same memory).
F16_SLOTS = 8
CPU_BATCH = 256  # tokens in a forward pass
# Samples are expected to be no longer than this, whatever they may: where more are, the youngest
# make room. The cache of 16 samples at 32,768 tokens would be as large as a small model.
_EXPECTED = 2048
# What is left for others: the machine's own work, and what is known not exactly.
_MARGIN = 0.1


@dataclass(frozen=True)
class Sizing:
    """What generation takes."""

    slots: int
    cells: int  # tokens of the cache
    batch: int  # tokens in a forward pass
    gpu_layers: int  # -1: all
    need: Need
    free: int  # bytes of memory that this process could take
    there: int = 0  # bytes of ``need`` that are on GPUs
    weights: Literal["stored", "f16"] = "stored"  # see ``stages.f16_weights``

    @property
    def taken(self) -> int:
        """Bytes of this machine's own memory."""
        return self.need.total - self.there


@dataclass(frozen=True)
class Task:
    """What is to be generated; ``path`` is what the model is called in a message."""

    max_tokens: int  # that a completion may have
    prompt: int  # tokens of the longest prompt
    slots: int | None = None  # the user's choice; None to choose
    requests: int = MAX_SLOTS  # completions that are wanted at all
    samples: int = 1  # of a problem, one after the other: they share its prompt in the cache
    exact: bool = False  # with room for all of it, or not at all
    gpu_layers: int | None = None  # the user's choice; None to choose
    threads: int = 1
    path: Path | str = "the model"
    weights: Weights = "auto"


def choose(
    shape: ModelShape,
    task: Task,
    *,
    free: int,
    gpus: Sequence[Gpu] = (),
    unpacked: ModelShape | None = None,
) -> Sizing:
    """The size of a generation where this process can take ``free`` bytes.

    Where memory is short the cache shrinks first, down to what one sample needs at its longest
    (others then make room for it), and then, unless the user chose it, the number of slots; on a
    GPU both before layers are left out. ``gpus`` are those that llama.cpp can use; none for a build
    without. ``unpacked`` is the model with weights of 16 bits, where those can be had.

    Raises:
        MemoryShortage: that does not fit; the message has the figures and what would.
    """
    most = task.slots or min(GPU_SLOTS if gpus else DEFAULT_SLOTS, max(1, task.requests))
    if unpacked is not None:
        in_f16 = _with_f16(unpacked, task, most, free)
        if in_f16 is not None:
            return in_f16
    tried = [most]
    while not task.slots and not task.exact and tried[-1] > 1:
        tried.append(max(1, tried[-1] // 2))
    if gpus and task.gpu_layers is None:
        for slots in tried:
            found = _largest(shape, task, slots, -1, free, gpus)
            if found is not None:
                return found
    layers = task.gpu_layers if gpus or task.gpu_layers is not None else 0
    if layers != -1 and not task.slots:  # the processor works as well, and gains little by more
        tried = [slots for slots in tried if slots <= DEFAULT_SLOTS] or tried[-1:]
    for slots in tried:
        part = _largest(shape, task, slots, layers, free, gpus)
        if part is not None:
            return part
    wanted = _sizing(shape, task, tried[-1], None, layers, free, gpus)
    raise MemoryShortage(_refusal(shape, task, wanted, gpus))


def _with_f16(shape: ModelShape, task: Task, slots: int, free: int) -> Sizing | None:
    """``slots`` with unpacked weights; None where that is not worth it, or has no room.

    Left to choose, the cache must have its full size, and half of the memory is left to others:
    the copy is not given up on demand, as a file's pages are.

    Raises:
        MemoryShortage: it has no room, and a promise of the same texts allows for nothing else.
    """
    if task.weights != "auto":
        found = _largest(shape, task, slots, 0, free, ())
        if found is None and task.exact:
            whole = _sizing(shape, task, slots, None, 0, free, ())
            raise MemoryShortage(f"{_refused(task, whole)} Close other programs.")
        return found and replace(found, weights="f16")
    if min(slots, task.requests) < max(F16_SLOTS, 2 * task.threads):
        return None
    whole = _sizing(shape, task, slots, cells_for(shape, slots, task), 0, free, ())
    return replace(whole, weights="f16") if whole.taken <= free // 2 else None


def _largest(
    shape: ModelShape,
    task: Task,
    slots: int,
    layers: int | None,
    free: int,
    gpus: Sequence[Gpu],
) -> Sizing | None:
    """The largest cache with which ``slots`` fit; None if none is large enough.

    ``layers`` are to be on GPUs, -1 for all; None for as many as have room there.
    """
    full = cells_for(shape, slots, task)
    # Below a third of what samples are expected to need, they would mostly make room.
    least = full // 3 if task.slots is None else 0
    least = full if task.exact else rounded(max(least, cells_for(shape, 1, task)))

    def fits(cells: int) -> Sizing | None:
        if layers == -1 and task.gpu_layers is None and room(cells) != -1:
            return None
        found = _sizing(shape, task, slots, cells, layers, free, gpus)
        return found if found.taken <= _usable(free) else None

    def room(cells: int) -> int:
        return gpu_layers(shape, gpus, slots=slots, cells=cells, threads=task.threads)

    if (all_of_it := fits(full)) is not None:
        return all_of_it
    best, low, high = None, least // CELLS, full // CELLS - 1
    while low <= high:
        middle = (low + high) // 2
        found = fits(middle * CELLS)
        if found is None:
            high = middle - 1
        else:
            best, low = found, middle + 1
    return best


def _usable(free: int) -> int:
    return int(free * (1 - _MARGIN))


def _sizing(
    shape: ModelShape,
    task: Task,
    slots: int,
    cells: int | None,
    layers: int | None,
    free: int,
    gpus: Sequence[Gpu],
) -> Sizing:
    if cells is None:
        cells = cells_for(shape, 1 if not task.exact else slots, task)
    if layers is None:
        layers = gpu_layers(shape, gpus, slots=slots, cells=cells, threads=task.threads)
    batch = GPU_BATCH if gpus else CPU_BATCH
    found = need(
        shape,
        sequences=slots + 1,
        cells=cells,
        batch=batch,
        threads=task.threads,
        requests=task.requests,
    )
    there = on_gpus(shape, layers, found) if gpus else 0
    return Sizing(slots, cells, batch, layers, found, free, there)


def _refusal(shape: ModelShape, task: Task, wanted: Sizing, gpus: Sequence[Gpu]) -> str:
    return f"{_refused(task, wanted)} {_what_fits(shape, task, wanted.slots, wanted.free, gpus)}"


def _refused(task: Task, wanted: Sizing) -> str:
    free, slots = wanted.free, wanted.slots
    return (
        f"{task.path}: {slots} sample{'s' if slots > 1 else ''} at once, up to "
        f"{task.prompt + task.max_tokens} tokens with the prompt, take {size(wanted.taken)} of "
        f"memory. Of {size(free)} that are free {size(_usable(free))} can be used."
    )


def _what_fits(shape: ModelShape, task: Task, slots: int, free: int, gpus: Sequence[Gpu]) -> str:
    """The nearest setting that fits: the most slots, else the most tokens of one."""

    def most(limit: int, change: Callable[[int], Task]) -> int:
        low, high = 0, limit
        while low < high:
            middle = (low + high + 1) // 2
            other = change(middle)
            layers = task.gpu_layers if gpus or task.gpu_layers is not None else 0
            if _largest(shape, other, other.slots or 1, layers, free, gpus) is not None:
                low = middle
            else:
                high = middle - 1
        return low

    if slots > 1:
        fewer = most(slots - 1, lambda number: replace(task, slots=number))
        if fewer:
            return f"Lower generate.slots (--slots) to {fewer}, or close other programs."
    limit = min(task.max_tokens, shape.context)
    shorter = most(limit - 1, lambda number: replace(task, slots=1, max_tokens=number))
    if shorter:
        also = "generate.slots (--slots) to 1 and " if slots > 1 else ""
        tokens = f"generate.max_tokens and evaluate.max_tokens (--max-tokens) to {shorter}"
        return f"Lower {also}{tokens}, or close other programs."
    return "Close other programs, or take a smaller model or quantisation."


def cells_for(shape: ModelShape, slots: int, task: Task) -> int:
    """Tokens of the cache: the prompts in flight, the next one, and what samples will say.

    So many samples in a row belong to no more problems than that; where some of earlier ones are
    still going on, they have mostly said less. At the least one sample at its longest, beside the
    prompt of the next.
    """
    room = min(task.prompt + task.max_tokens, shape.context)
    answer = room - task.prompt if task.exact else min(room - task.prompt, _EXPECTED)
    prompts = min(slots, -(-(slots - 1) // task.samples) + 1)
    needed = prompts * task.prompt + slots * max(1, answer)
    return rounded(task.prompt + max(room, needed))


def longest_prompt(problems: Iterable[Problem]) -> int:
    """Tokens of the longest prompt, estimated before there is a tokenizer: 3 characters each.

    Code and prose have 3 to 4; 32 are for the template's own words. If it was too few, the cache is
    still large enough for one sample, and others may have to wait.
    """
    lengths = (
        sum(len(message.content.encode()) for message in messages(problem)) for problem in problems
    )
    return max(lengths, default=0) // 3 + 32
