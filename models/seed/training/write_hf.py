"""The model as a Hugging Face folder, which transformers loads without remote code."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import GenerationConfig, Qwen3ForCausalLM

from training import tokenizer as tok


def write(model: Qwen3ForCausalLM, tokenizer: Tokenizer, folder: Path) -> None:
    """config, generation_config, tokenizer, tokenizer_config, and the weights in bfloat16."""
    folder.mkdir(parents=True, exist_ok=True)
    model = model.to(torch.bfloat16)
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        eos_token_id=[tokenizer.token_to_id(tok.END), tokenizer.token_to_id(tok.END_OF_TEXT)],
        pad_token_id=tokenizer.token_to_id(tok.END_OF_TEXT),
    )
    model.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)  # transformers writes it for its owner alone
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": False,
        "add_prefix_space": False,
        "bos_token": None,
        "eos_token": tok.END,
        "pad_token": tok.END_OF_TEXT,
        "unk_token": None,
        "additional_special_tokens": [tok.START, tok.END],
        "clean_up_tokenization_spaces": False,
        "model_max_length": model.config.max_position_embeddings,
        "chat_template": tok.CHAT_TEMPLATE,
    }
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")
