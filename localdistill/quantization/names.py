"""What the tensors of a model are called in a GGUF file and in a Hugging Face folder.

For the dense Qwen2 and Qwen3 architectures, whose rows llama.cpp keeps in the order of Hugging Face
(it permutes those of Llama's query and key). Source: gguf-py/gguf/tensor_mapping.py of llama.cpp.
"""

from __future__ import annotations

import re
from collections.abc import Container

from localdistill.errors import ModelError

# GGUF architecture, which is also Hugging Face's model_type.
SUPPORTED = ("qwen2", "qwen3")

_FIX = "Take a model of that kind (Qwen2, Qwen2.5, Qwen3, without experts or vision)."

EMBEDDING, OUTPUT = "token_embd.weight", "output.weight"
_TOP = {
    EMBEDDING: "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    # Only where the output matrix is not the embedding itself.
    OUTPUT: "lm_head.weight",
}
_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_QWEN3_ONLY = ("attn_q_norm", "attn_k_norm")
_TOP_BACK = {hf: gguf for gguf, hf in _TOP.items()}
_LAYER_BACK = {hf: gguf for gguf, hf in _LAYER.items()}


def check_architecture(architecture: str, where: object) -> None:
    """Refuse an architecture whose names are not known here.

    Raises:
        ModelError: it is none of ``SUPPORTED``.
    """
    if architecture not in SUPPORTED:
        raise ModelError(
            f"{where}: architecture {architecture!r} is not supported. "
            f"Take a dense model of one of: {', '.join(SUPPORTED)} (Qwen2, Qwen2.5, Qwen3)."
        )


def missing(names: Container[str], layers: int, architecture: str) -> str | None:
    """The first GGUF tensor that a model of so many layers needs and ``names`` lacks, if any."""
    parts = [part for part in _LAYER if architecture == "qwen3" or part not in _QWEN3_ONLY]
    for name in ("token_embd.weight", "output_norm.weight"):
        if name not in names:
            return name
    for layer in range(layers):
        for part in parts:
            if f"blk.{layer}.{part}.weight" not in names:
                return f"blk.{layer}.{part}.weight"
    return None


def to_hf(name: str) -> str:
    """The Hugging Face name of GGUF tensor ``name``.

    Raises:
        ModelError: no dense Qwen2 or Qwen3 model has a tensor of this name.
    """
    if name in _TOP:
        return _TOP[name]
    match = re.fullmatch(r"blk\.(\d+)\.(\w+)\.(weight|bias)", name)
    if match is None or match[2] not in _LAYER:
        raise ModelError(f"tensor {name!r} is not one of a dense Qwen2 or Qwen3 model. {_FIX}")
    return f"model.layers.{match[1]}.{_LAYER[match[2]]}.{match[3]}"


def to_gguf(name: str) -> str:
    """The GGUF name of Hugging Face tensor ``name``.

    Raises:
        ModelError: no dense Qwen2 or Qwen3 model has a tensor of this name.
    """
    if name in _TOP_BACK:
        return _TOP_BACK[name]
    match = re.fullmatch(r"model\.layers\.(\d+)\.([\w.]+)\.(weight|bias)", name)
    if match is None or match[2] not in _LAYER_BACK:
        raise ModelError(f"tensor {name!r} is not one of a dense Qwen2 or Qwen3 model. {_FIX}")
    return f"blk.{match[1]}.{_LAYER_BACK[match[2]]}.{match[3]}"
