"""The tensors of a dense Qwen model have one name in each of the two forms."""

from __future__ import annotations

import pytest

from localdistill.errors import ModelError
from localdistill.quantization import names


@pytest.mark.parametrize(
    ("gguf", "hf"),
    [
        ("token_embd.weight", "model.embed_tokens.weight"),
        ("output.weight", "lm_head.weight"),
        ("output_norm.weight", "model.norm.weight"),
        ("blk.11.attn_q.bias", "model.layers.11.self_attn.q_proj.bias"),
        ("blk.0.attn_output.weight", "model.layers.0.self_attn.o_proj.weight"),
        ("blk.3.attn_k_norm.weight", "model.layers.3.self_attn.k_norm.weight"),
        ("blk.3.ffn_norm.weight", "model.layers.3.post_attention_layernorm.weight"),
        ("blk.27.ffn_down.weight", "model.layers.27.mlp.down_proj.weight"),
    ],
)
def test_names_go_both_ways(gguf, hf):
    assert names.to_hf(gguf) == hf
    assert names.to_gguf(hf) == gguf


@pytest.mark.parametrize("name", ["blk.0.ffn_gate_exps.weight", "rope_freqs.weight", "blk.0.x"])
def test_unknown_tensors_are_refused(name):
    with pytest.raises(ModelError, match=name.replace(".", r"\.")):
        names.to_hf(name)
    with pytest.raises(ModelError):
        names.to_gguf(name)


def test_other_architectures_are_refused_naming_the_supported_ones():
    with pytest.raises(ModelError, match=r"'llama'.*qwen2, qwen3"):
        names.check_architecture("llama", "model.gguf")
