"""The model as one GGUF file for llama.cpp: matrices in Q8_0, norms in F32."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import Qwen3ForCausalLM

from training import tokenizer as tok

ARCHITECTURE = "qwen3"


def write(model: Qwen3ForCausalLM, tokenizer: Tokenizer, path: Path) -> None:
    """Write metadata, tokenizer and tensors."""
    writer = gguf.GGUFWriter(path, ARCHITECTURE)
    _metadata(writer, model)
    _tokenizer(writer, tokenizer)
    _tensors(writer, model)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _metadata(writer: gguf.GGUFWriter, model: Qwen3ForCausalLM) -> None:
    config = model.config
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name("localdistill seed")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    state = json.loads(tokenizer.to_str())
    tokens = [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]
    control = gguf.TokenType.CONTROL
    types = [control if t in tok.SPECIAL else gguf.TokenType.NORMAL for t in tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(pair) for pair in state["model"]["merges"]])
    writer.add_eos_token_id(tokenizer.token_to_id(tok.END))
    writer.add_pad_token_id(tokenizer.token_to_id(tok.END_OF_TEXT))
    writer.add_bos_token_id(tokenizer.token_to_id(tok.END_OF_TEXT))  # never added
    writer.add_add_bos_token(False)
    writer.add_chat_template(tok.CHAT_TEMPLATE)


def _tensors(writer: gguf.GGUFWriter, model: Qwen3ForCausalLM) -> None:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, model.config.num_hidden_layers)
    q8_0 = gguf.GGMLQuantizationType.Q8_0
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight":  # tied to the embedding
            continue
        data = tensor.to(torch.float32).numpy()
        target = names.get_name(name, try_suffixes=(".weight",))
        if target is None:
            raise ValueError(f"no GGUF name for {name}")
        if data.ndim == 1:
            writer.add_tensor(target, np.ascontiguousarray(data))
        else:
            writer.add_tensor(target, gguf.quants.quantize(data, q8_0), raw_dtype=q8_0)
