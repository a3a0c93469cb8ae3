"""What the memory for a model depends on, from the header of its file."""

from __future__ import annotations

import platform
from typing import Any

from localdistill.backends.llama_memory import ModelShape
from localdistill.errors import ModelError
from localdistill.quantization.gguf_file import GgufFile

# ggml types that llama.cpp copies in another order for the processor's wide instructions
# (ggml_repack_get_optimal_repack_type in ggml-cpu/repack.cpp): Q4_0, Q4_K, IQ4_NL, MXFP4 with AVX2;
# Q2_K with AVX-512; on ARM also Q8_0, Q5_K, Q6_K. Of matrices with a multiple of 8 rows (4 on ARM).
_REPACKED = frozenset({2, 12, 20, 39})
_REPACKED_AVX512 = _REPACKED | {10}
_REPACKED_ARM = _REPACKED | {8, 13, 14}
_HALVES = (1, 30)  # F16, BF16


def shape_of(gguf: GgufFile, machine: str = "") -> ModelShape:
    """What the memory for a model depends on.

    Raises:
        ModelError: the header does not tell.
    """
    name = gguf.architecture

    def number(key: str, default: Any = None) -> int:
        value = gguf.get(f"{name}.{key}", default)
        found = gguf.need(f"{name}.{key}") if value is None else value
        try:
            # Some models have a number for each layer.
            return int(max(found)) if isinstance(found, list) else int(found)
        except (TypeError, ValueError, OverflowError) as error:
            message = f"{gguf.path}: {name}.{key} is no number. Fetch the file again."
            raise ModelError(message) from error

    layers, embedding = number("block_count"), number("embedding_length")
    heads = max(1, number("attention.head_count"))
    shared = number("attention.head_count_kv", heads)
    width = embedding // heads
    key, value = number("attention.key_length", width), number("attention.value_length", width)
    experts = number("expert_used_count", 0)
    inner = number("expert_feed_forward_length", 0) * experts
    tensors = gguf.tensors
    tied = "output.weight" not in tensors
    inputs = tensors["token_embd.weight"].size if "token_embd.weight" in tensors else 0
    return ModelShape(
        weights=sum(tensor.size for tensor in tensors.values()),
        repacked=_copied(gguf, machine or platform.machine()),
        vocabulary=len(gguf.get("tokenizer.ggml.tokens", ())) or number("vocab_size", 0),
        cache_per_token=layers * shared * (key + value) * 2,
        embedding=embedding,
        feed_forward=max(number("feed_forward_length", 0), inner),
        layers=layers,
        context=number("context_length"),
        query=heads * max(key, value),
        shared=shared * max(key, value),
        experts=experts,
        halves=any(t.type in _HALVES and len(t.dims) > 1 for t in tensors.values()),
        output=inputs if tied else tensors["output.weight"].size,
        inputs=inputs,
        tied=tied,
    )


def _copied(gguf: GgufFile, machine: str) -> int:
    """Bytes of the matrices that are copied for this processor; the file stays mapped beside."""
    arm = machine.lower() in ("aarch64", "arm64")
    # Not whether this machine has AVX-512: a plan a little too large is a plan that holds.
    types, rows = (_REPACKED_ARM, 4) if arm else (_REPACKED_AVX512, 8)
    tied = "output.weight" not in gguf.tensors
    return sum(
        tensor.size
        for tensor in gguf.tensors.values()
        if tensor.type in types
        and len(tensor.dims) > 1
        and tensor.dims[1] % rows == 0
        # Looking up rows needs no other order; only as the output matrix is the embedding copied.
        and (tied or tensor.name != "token_embd.weight")
    )
