"""How many samples are decoded together, over how large a cache, and which layers go to a GPU.

From the header of the model's file and the memory that is free now. Swap is never counted.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localdistill.backends.llama_memory import ModelShape, Need, need, rounded
from localdistill.errors import MemoryShortage
from localdistill.gpus import Gpu
from localdistill.memory import size
from localdistill.problems.prompt import messages
from localdistill.quantization.gguf_file import GgufFile
from localdistill.types import Problem

# On a CPU more gain little: 0.5B model, 2 cores, 81 tok/s with 16, 85 with 32.
DEFAULT_SLOTS = 16
MAX_SLOTS = 255  # llama.cpp allows 256 sequences, and one holds the prompt
CPU_BATCH, GPU_BATCH = 256, 512  # tokens in a forward pass
# Samples are expected to be no longer than this, whatever they may: where more are, the youngest
# make room. The cache of 16 samples at 32,768 tokens would be as large as a small model.
_EXPECTED = 2048
# What is left for others: the machine's own work, and what is known not exactly.
_MARGIN = 0.1
# ggml types that llama.cpp copies for the processor's wide instructions (ggml-cpu/repack.cpp):
# Q4_0, Q4_K and IQ4_NL, on ARM Q5_K and Q6_K as well.
_REPACKED = frozenset({2, 12, 20})
_REPACKED_ARM = _REPACKED | {13, 14}


@dataclass(frozen=True)
class Sizing:
    """What generation takes."""

    slots: int
    cells: int  # tokens of the cache
    batch: int  # tokens in a forward pass
    gpu_layers: int  # -1: all
    need: Need
    free: int  # bytes of memory that this process could take


def shape_of(gguf: GgufFile, machine: str = "") -> ModelShape:
    """What the memory for a model depends on.

    Raises:
        ModelError: the header does not tell.
    """
    name = gguf.architecture

    def number(key: str, default: Any = None) -> int:
        value = gguf.get(f"{name}.{key}", default)
        found = gguf.need(f"{name}.{key}") if value is None else value
        # Some models have a number for each layer.
        return int(max(found)) if isinstance(found, list) else int(found)

    layers, embedding = number("block_count"), number("embedding_length")
    heads = max(1, number("attention.head_count"))
    shared = number("attention.head_count_kv", heads)
    width = embedding // heads
    key, value = number("attention.key_length", width), number("attention.value_length", width)
    experts = number("expert_used_count", 0)
    inner = number("expert_feed_forward_length", 0) * experts
    arm = (machine or platform.machine()).lower() in ("aarch64", "arm64")
    repacked = _REPACKED_ARM if arm else _REPACKED
    tensors = gguf.tensors.values()
    return ModelShape(
        weights=sum(tensor.size for tensor in tensors),
        repacked=sum(
            t.size for t in tensors if t.type in repacked and t.name != "token_embd.weight"
        ),
        vocabulary=len(gguf.get("tokenizer.ggml.tokens", ())),
        cache_per_token=layers * shared * (key + value) * 2,
        embedding=embedding,
        feed_forward=max(number("feed_forward_length", 0), inner),
        layers=layers,
        context=number("context_length"),
    )


@dataclass(frozen=True)
class Task:
    """What is to be generated; ``path`` is what the model is called in a message."""

    max_tokens: int  # that a completion may have
    prompt: int  # tokens of the longest prompt
    slots: int | None = None  # the user's choice; None to choose
    requests: int = MAX_SLOTS  # completions that are wanted at all
    exact: bool = False  # with room for all of it, or not at all
    path: Path | str = "the model"


def choose(shape: ModelShape, task: Task, *, free: int, gpus: Sequence[Gpu] = ()) -> Sizing:
    """The size of a generation where this process can take ``free`` bytes.

    Where memory is short the cache shrinks first, down to what one sample needs at its longest
    (others then make room for it), and then, unless the user chose it, the number of slots.
    ``gpus`` are those that llama.cpp can use; none for a build without.

    Raises:
        MemoryShortage: that does not fit; the message has the figures and what would.
    """
    layers = gpu_layers(shape, gpus, cells=cells_for(shape, 1, task))
    there = (shape.layers if layers < 0 else layers) / max(1, shape.layers)
    usable = int(free * (1 - _MARGIN))
    batch = GPU_BATCH if gpus else CPU_BATCH

    def sizing(slots: int, cells: int) -> Sizing:
        found = need(shape, sequences=slots + 1, cells=cells, batch=batch)
        return Sizing(slots, cells, batch, layers, found, free)

    def taken(sizing: Sizing) -> int:
        return sizing.need.total - int(there * (sizing.need.weights + sizing.need.cache))

    slots = task.slots or min(DEFAULT_SLOTS, max(1, task.requests))
    least = cells_for(shape, 1, task)
    while True:
        wanted = sizing(slots, cells_for(shape, slots, task))
        over = taken(wanted) - usable
        if over > 0 and not task.exact:
            per_cell = shape.cache_per_token * (1 - there) + batch * 2
            fewer = wanted.cells - rounded(int(over / per_cell) + 1)
            # Below a third of what samples are expected to need, they would mostly make room.
            enough = least if task.slots else max(least, wanted.cells // 3)
            wanted = sizing(slots, max(fewer, enough))
        if taken(wanted) <= usable:
            return wanted
        if task.slots or task.exact or slots == 1:
            break
        slots = max(1, slots // 2)
    raise MemoryShortage(_refusal(task, taken(wanted), usable, free, slots))


def _refusal(task: Task, taken: int, usable: int, free: int, slots: int) -> str:
    text = (
        f"{task.path}: {slots} sample{'s' if slots > 1 else ''} at once, up to "
        f"{task.prompt + task.max_tokens} tokens with the prompt, take {size(taken)} of memory. Of "
        f"{size(free)} that are free {size(usable)} can be used."
    )
    lower = "lower --slots or" if slots > 1 else "lower"
    return f"{text} Close other programs, {lower} --max-tokens, or take a smaller quantisation."


def cells_for(shape: ModelShape, slots: int, task: Task) -> int:
    """Tokens of the cache: all prompts and what samples are expected to say.

    At the least one sample at its longest, beside the prompt of the next.
    """
    room = min(task.prompt + task.max_tokens, shape.context)
    usual = min(room, task.prompt + _EXPECTED)
    return rounded(task.prompt + max(room, slots * usual))


def gpu_layers(shape: ModelShape, gpus: Sequence[Gpu], *, cells: int) -> int:
    """Layers that the GPUs have room for; -1 if for all of them, with the output.

    A layer takes its weights and its part of the cache; a pass's intermediate results stay on
    each GPU. By llama.cpp's documentation, and not measured on a GPU.
    """
    if not gpus:
        return 0
    whole = need(shape, sequences=DEFAULT_SLOTS + 1, cells=cells, batch=GPU_BATCH)
    buffers = whole.compute + whole.logits
    room = sum(max(0, int(gpu.free * (1 - _MARGIN)) - buffers) for gpu in gpus)
    each = (shape.weights + whole.cache) / max(1, shape.layers)
    fitting = int(room / each)
    return -1 if fitting >= shape.layers + 1 else fitting


def longest_prompt(problems: Iterable[Problem]) -> int:
    """Tokens of the longest prompt, estimated before there is a tokenizer: 3 characters each.

    Code and prose have 3 to 4; 32 are for the template's own words. If it was too few, the cache is
    still large enough for one sample, and others may have to wait.
    """
    lengths = (
        sum(len(message.content.encode()) for message in messages(problem)) for problem in problems
    )
    return max(lengths, default=0) // 3 + 32
