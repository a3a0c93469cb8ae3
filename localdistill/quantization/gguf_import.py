"""A GGUF file alone made into a Hugging Face folder, so that it can be trained.

The folder holds the values that llama.cpp computes with: matrices in 16 bits, vectors (norms,
biases) as the file has them. Float16, because it keeps three more bits of each weight than bfloat16
and weights fit its range; the configuration still says bfloat16, in which training should compute:
the activations of Qwen2 do overflow float16.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from localdistill.errors import ModelError
from localdistill.quantization import ggml, ggml_types, names
from localdistill.quantization.folder_write import folder_of, is_made_from
from localdistill.quantization.gguf_file import GgufFile, TensorInfo, read_header
from localdistill.quantization.safetensors_file import GGML_TYPES, write_header
from localdistill.quantization.tokenizer_import import (
    check_tokenizer,
    end_tokens,
    write_tokenizer,
)

_LARGEST_HALF = 65504.0
_FIX = "Give the Hugging Face folder that the file was made from."


def dequantise(
    gguf_path: Path, out_dir: Path, on_tensor: Callable[[str], None] = lambda name: None
) -> Path:
    """Make ``out_dir`` the Hugging Face folder of the GGUF file ``gguf_path``; once.

    Memory: 64 MiB pieces of one tensor at a time. ``on_tensor`` hears of each one that is written.

    Raises:
        ModelError: the file is damaged or of an unsupported architecture or tokenizer.
    """
    gguf = read_header(gguf_path)
    names.check_architecture(gguf.architecture, gguf_path)
    stat = gguf_path.stat()
    facts = {"source": gguf_path.name, "bytes": stat.st_size, "modified_ns": stat.st_mtime_ns}
    if is_made_from(out_dir, facts):
        return out_dir
    with folder_of(out_dir, facts) as folder:
        with _sensible(gguf):
            config = json.dumps(hf_config(gguf), indent=2) + "\n"
            (folder / "config.json").write_text(config, encoding="utf-8")
            write_tokenizer(gguf, folder)
        _write_weights(gguf, folder / "model.safetensors", on_tensor)
    return out_dir


def check_importable(gguf: GgufFile) -> None:
    """Refuse what ``dequantise`` would refuse, from the header alone and without writing.

    Raises:
        ModelError: an unsupported architecture or tokenizer, or metadata that make no sense.
    """
    names.check_architecture(gguf.architecture, gguf.path)
    with _sensible(gguf):
        hf_config(gguf)
        check_tokenizer(gguf)


@contextmanager
def _sensible(gguf: GgufFile) -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        raise ModelError(
            f"{gguf.path}: its metadata do not make sense ({error}). Make the file again."
        ) from error


def hf_config(gguf: GgufFile) -> dict[str, Any]:
    """The content of ``config.json`` for a dense Qwen2 or Qwen3 GGUF file.

    Raises:
        ModelError: metadata is missing, or its position encoding is not supported.
    """
    architecture = gguf.architecture

    def number(key: str) -> Any:
        return gguf.need(f"{architecture}.{key}")

    lacking = names.missing(gguf.tensors, number("block_count"), architecture)
    if lacking is not None:
        raise ModelError(f"{gguf.path}: has no tensor {lacking!r}. Fetch or make the file again.")
    heads, width = number("attention.head_count"), number("embedding_length")
    head_dim = gguf.get(f"{architecture}.attention.key_length", width // heads)
    config = {
        "architectures": [{"qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}[architecture]],
        "model_type": architecture,
        "vocab_size": gguf.tensors["token_embd.weight"].shape[0],
        "hidden_size": width,
        "intermediate_size": number("feed_forward_length"),
        "num_hidden_layers": number("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": gguf.get(f"{architecture}.attention.head_count_kv", heads),
        "max_position_embeddings": number("context_length"),
        "rope_theta": gguf.get(f"{architecture}.rope.freq_base", 10000.0),
        "rope_scaling": _rope_scaling(gguf),
        "rms_norm_eps": _shortest(number("attention.layer_norm_rms_epsilon")),
        "hidden_act": "silu",
        "attention_dropout": 0.0,
        "use_sliding_window": False,
        # The metadata does not say it: llama.cpp too goes by the presence of the tensor.
        "tie_word_embeddings": "output.weight" not in gguf.tensors,
        "bos_token_id": gguf.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": end_tokens(gguf)[0],
        "dtype": "bfloat16",
        # Whose form this is; without it transformers suspects a fault in the tokenizer.
        "transformers_version": "5.0.0",
    }
    if architecture == "qwen3" or head_dim != width // heads:
        config["head_dim"] = head_dim
    if architecture == "qwen3":
        config["attention_bias"] = "blk.0.attn_q.bias" in gguf.tensors
    return config


def _rope_scaling(gguf: GgufFile) -> dict[str, Any] | None:
    kind = gguf.get(f"{gguf.architecture}.rope.scaling.type", "none")
    if kind == "none":
        return None
    if kind not in ("yarn", "linear"):
        raise ModelError(f"{gguf.path}: rope scaling {kind!r} is not supported, only yarn, linear.")
    scaling = {
        "rope_type": kind,
        "factor": gguf.need(f"{gguf.architecture}.rope.scaling.factor"),
    }
    length = gguf.get(f"{gguf.architecture}.rope.scaling.original_context_length")
    return scaling if length is None else {**scaling, "original_max_position_embeddings": length}


def _shortest(value: float) -> float:
    """A float32 of the metadata as the shortest decimal that it stands for (1e-06)."""
    return float(str(np.float32(value)))


def _write_weights(gguf: GgufFile, path: Path, on_tensor: Callable[[str], None]) -> None:
    """All tensors as one safetensors file, each converted in pieces.

    Raises:
        ModelError: a value is not finite, or beyond the range of float16.
    """
    tensors = list(gguf.tensors.values())
    stored = [(names.to_hf(tensor.name), _dtype(tensor), tensor.shape) for tensor in tensors]
    write_header(path, stored)
    with path.open("ab") as file:
        for tensor, (name, dtype, _) in zip(tensors, stored, strict=True):
            for block, values in ggml.slabs(gguf, tensor):
                if tensor.type == GGML_TYPES[dtype]:
                    file.write(block)
                elif ggml.largest(values) <= _LARGEST_HALF:
                    file.write(ggml.to_16_bits(values, ggml_types.F16))
                else:
                    raise ModelError(f"{gguf.path}: {tensor.name!r} is beyond 16 bits. {_FIX}")
            on_tensor(name)


def _dtype(tensor: TensorInfo) -> str:
    if len(tensor.shape) == 1 and tensor.type == ggml_types.F32:
        return "F32"  # small, and kept exactly
    return "BF16" if tensor.type == ggml_types.BF16 else "F16"
