"""Makes tiny Qwen models: a Hugging Face folder and the GGUF file that belongs to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file, save_file

from localdistill.quantization import names
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.llama_quantize import file_type, quantise_file

WIDTH, FEED, LAYERS, HEADS, KV_HEADS, HEAD_DIM = 256, 512, 2, 4, 2, 64
SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def byte_symbols() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    extra = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(extra)) for byte in range(256)]


MERGES = [("d", "e"), ("de", "f"), ("r", "e"), ("Ġ", "x"), ("i", "n"), ("Ã", "©")]
TOKENS = [*byte_symbols(), *("".join(pair) for pair in MERGES), *SPECIALS]


@dataclass(frozen=True)
class Tiny:
    """One tiny model."""

    master: Path
    gguf: Path
    architecture: str

    @classmethod
    def write(cls, folder: Path, architecture: str, tied: bool = False, seed: int = 0) -> Tiny:
        """Random weights in F16, and the same in an unquantised GGUF."""
        master = folder / "hf"
        master.mkdir(parents=True)
        weights = _weights(architecture, tied, np.random.default_rng(seed))
        save_file(weights, master / "model.safetensors", metadata={"format": "pt"})
        (master / "config.json").write_text(json.dumps(_config(architecture, tied)))
        (master / "tokenizer.json").write_text(json.dumps(_tokenizer()))
        config = {"tokenizer_class": "TokenizersBackend", "eos_token": "<|im_end|>"}
        (master / "tokenizer_config.json").write_text(json.dumps(config))
        model = cls(master, folder / "model.gguf", architecture)
        write_gguf(model.gguf, architecture, weights)
        return model

    def weights(self) -> dict[str, np.ndarray]:
        return load_file(self.master / "model.safetensors")

    def write_adapter(self, folder: Path, scale: float, modules, **config) -> Path:
        """A LoRA of rank 4 whose B has standard deviation ``scale``."""
        rng = np.random.default_rng(1)
        factors = {}
        for name, weight in read_folder(self.master).tensors.items():
            stem = name.removesuffix(".weight")
            if stem.endswith(tuple(modules)):
                a = rng.standard_normal((4, weight.shape[1])) / np.sqrt(weight.shape[1])
                b = rng.standard_normal((weight.shape[0], 4)) * scale
                factors[f"base_model.model.{stem}.lora_A.weight"] = a.astype(np.float32)
                factors[f"base_model.model.{stem}.lora_B.weight"] = b.astype(np.float32)
        folder.mkdir(parents=True)
        save_file(factors, folder / "adapter_model.safetensors")
        settings = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "bias": "none", **config}
        (folder / "adapter_config.json").write_text(json.dumps(settings))
        return folder


def quantised(model: Tiny, quant: str) -> Tiny:
    """The same model with its GGUF quantised."""
    out = model.gguf.with_name(f"{quant}.gguf")
    quantise_file(model.gguf, out, kind=file_type(quant))
    return Tiny(model.master, out, model.architecture)


def with_own_output(model: Tiny, output: np.ndarray | None = None) -> Tiny:
    """A tied model with the GGUF of a copy that holds the output matrix too (the embedding)."""
    weights = model.weights()
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"] if output is None else output
    path = model.gguf.with_name("own-output.gguf")
    write_gguf(path, model.architecture, weights)
    return Tiny(model.master, path, model.architecture)


def _weights(architecture: str, tied: bool, rng: np.random.Generator) -> dict[str, np.ndarray]:
    shapes = {"model.embed_tokens.weight": (len(TOKENS), WIDTH), "model.norm.weight": (WIDTH,)}
    if not tied:
        shapes["lm_head.weight"] = (len(TOKENS), WIDTH)
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        q, kv = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM
        for name, rows in (("q", q), ("k", kv), ("v", kv)):
            shapes[f"{at}.self_attn.{name}_proj.weight"] = (rows, WIDTH)
            if architecture == "qwen2":
                shapes[f"{at}.self_attn.{name}_proj.bias"] = (rows,)
            elif name != "v":
                shapes[f"{at}.self_attn.{name}_norm.weight"] = (HEAD_DIM,)
        shapes[f"{at}.self_attn.o_proj.weight"] = (WIDTH, q)
        shapes[f"{at}.mlp.gate_proj.weight"] = (FEED, WIDTH)
        shapes[f"{at}.mlp.up_proj.weight"] = (FEED, WIDTH)
        shapes[f"{at}.mlp.down_proj.weight"] = (WIDTH, FEED)
        shapes[f"{at}.input_layernorm.weight"] = (WIDTH,)
        shapes[f"{at}.post_attention_layernorm.weight"] = (WIDTH,)
    return {
        name: (
            rng.standard_normal(shape) * (0.1 if len(shape) == 1 else 0.05) + ("norm" in name)
        ).astype(np.float16)
        for name, shape in shapes.items()
    }


def _config(architecture: str, tied: bool) -> dict:
    return {
        "architectures": [architecture.capitalize() + "ForCausalLM"],
        "model_type": architecture,
        "vocab_size": len(TOKENS),
        "hidden_size": WIDTH,
        "intermediate_size": FEED,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM,
        "max_position_embeddings": 512,
        "rope_theta": 10000.0,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": tied,
        "dtype": "float16",
    }


def _tokenizer() -> dict:
    vocabulary = {token: number for number, token in enumerate(TOKENS)}
    level = {"add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated", "invert": False}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": vocabulary[text], "content": text, "special": True, **flags} for text in SPECIALS
        ],
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [split, {"type": "ByteLevel", **level}],
        },
        "decoder": {"type": "ByteLevel", **level},
        "model": {
            "type": "BPE",
            "vocab": {token: n for token, n in vocabulary.items() if token not in SPECIALS},
            "merges": [list(pair) for pair in MERGES],
        },
    }


def write_gguf(
    path: Path, architecture: str, weights: dict[str, np.ndarray], pre: str = "qwen2"
) -> None:
    """The GGUF file that llama.cpp's converter would write, in F16."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("tiny")
    writer.add_block_count(LAYERS)
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(FEED)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(HEAD_DIM)
    writer.add_value_length(HEAD_DIM)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_quantization_version(2)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(TOKENS)
    writer.add_token_types([3 if token in SPECIALS else 1 for token in TOKENS])
    writer.add_token_merges([" ".join(pair) for pair in MERGES])
    writer.add_eos_token_id(TOKENS.index("<|im_end|>"))
    writer.add_pad_token_id(TOKENS.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    for name, weight in weights.items():
        kept = weight.astype(np.float32) if weight.ndim == 1 else weight
        writer.add_tensor(names.to_gguf(name), kept)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
