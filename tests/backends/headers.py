"""GGUF files of models of any size, whose weights are a hole in the file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

Types = gguf.GGMLQuantizationType


@dataclass(frozen=True)
class Model:
    """The numbers of an architecture; ``experts`` is how many, used by a token, width of one."""

    architecture: str
    layers: int
    width: int
    heads: int
    shared: int
    head: int
    feed: int
    vocabulary: int
    tied: bool = False
    experts: tuple[int, int, int] | None = None
    kind: Types = Types.Q4_K
    output: Types = Types.Q6_K


def write(path: Path, model: Model) -> Path:
    """Write a file that is complete but for the values of its weights, which are zero."""
    writer = gguf.GGUFWriter(str(path), model.architecture)
    writer.add_block_count(model.layers)
    writer.add_context_length(131_072)
    writer.add_embedding_length(model.width)
    writer.add_feed_forward_length(model.feed)
    writer.add_head_count(model.heads)
    writer.add_head_count_kv(model.shared)
    writer.add_key_length(model.head)
    writer.add_value_length(model.head)
    writer.add_rope_dimension_count(model.head)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(model.vocabulary)
    writer.add_tokenizer_model("no_vocab")
    if model.experts:
        count, used, inner = model.experts
        writer.add_expert_count(count)
        writer.add_expert_used_count(used)
        writer.add_expert_feed_forward_length(inner)
    total = sum(_add(writer, name, shape, kind) for name, shape, kind in _tensors(model))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    os.truncate(path, -(-path.stat().st_size // 32) * 32 + total)
    return path


def _tensors(model: Model):
    kind, width = model.kind, model.width
    query, shared = model.heads * model.head, model.shared * model.head
    yield "token_embd.weight", (model.vocabulary, width), model.output if model.tied else kind
    yield "output_norm.weight", (width,), Types.F32
    if not model.tied:
        yield "output.weight", (model.vocabulary, width), model.output
    for layer in range(model.layers):
        at = f"blk.{layer}"
        for name, rows in (("q", query), ("k", shared), ("v", shared)):
            yield f"{at}.attn_{name}.weight", (rows, width), kind
            if model.architecture == "qwen2":
                yield f"{at}.attn_{name}.bias", (rows,), Types.F32
            elif name != "v" and model.architecture != "llama":
                yield f"{at}.attn_{name}_norm.weight", (model.head,), Types.F32
        yield f"{at}.attn_output.weight", (width, query), kind
        yield f"{at}.attn_norm.weight", (width,), Types.F32
        yield f"{at}.ffn_norm.weight", (width,), Types.F32
        if model.experts:
            count, _, inner = model.experts
            yield f"{at}.ffn_gate_inp.weight", (count, width), Types.F32
            yield f"{at}.ffn_gate_exps.weight", (count, inner, width), kind
            yield f"{at}.ffn_up_exps.weight", (count, inner, width), kind
            yield f"{at}.ffn_down_exps.weight", (count, width, inner), kind
        else:
            yield f"{at}.ffn_gate.weight", (model.feed, width), kind
            yield f"{at}.ffn_up.weight", (model.feed, width), kind
            yield f"{at}.ffn_down.weight", (width, model.feed), kind


def _add(writer: gguf.GGUFWriter, name: str, shape: tuple[int, ...], kind: Types) -> int:
    if shape[-1] % gguf.GGML_QUANT_SIZES[kind][0]:
        kind = Types.Q8_0
    values, width = gguf.GGML_QUANT_SIZES[kind]
    row = shape[-1] // values * width
    size = int(np.prod(shape[:-1])) * row
    if kind == Types.F32:
        writer.add_tensor_info(name, shape, np.float32, size)
    else:
        writer.add_tensor_info(name, (*shape[:-1], row), np.uint8, size, raw_dtype=kind)
    return -(-size // 32) * 32
