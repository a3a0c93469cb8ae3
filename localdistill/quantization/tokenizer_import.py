"""A Hugging Face tokenizer rebuilt from the metadata of a GGUF file, giving llama.cpp's own tokens.

Byte-level BPE with the pre-tokenizer of Qwen2. Qwen's published tokenizer also normalises text to
NFC and llama.cpp does not; training must see the tokens that the model will be run with, so this
one does not either.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from localdistill.errors import ModelError
from localdistill.quantization.gguf_file import GgufFile

# tokenizer.ggml.pre of those that llama.cpp treats as Qwen2 (llama-vocab.cpp).
_PRE_TOKENIZERS = {"qwen2", "deepseek-r1-qwen", "megrez"}
_QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_CONTROL, _USER_DEFINED, _UNUSED = 3, 4, 5  # tokenizer.ggml.token_type
# What llama.cpp takes for the end of a generation by its text alone, as far as Qwen has it.
_END_TEXTS = ("<|im_end|>", "<|endoftext|>")


def write_tokenizer(gguf: GgufFile, folder: Path) -> None:
    """Write ``tokenizer.json``, ``tokenizer_config.json`` and ``generation_config.json``.

    Raises:
        ModelError: the file's tokenizer is of another kind.
    """
    check_tokenizer(gguf)
    tokens: list[str] = gguf.need("tokenizer.ggml.tokens")
    added = _added_tokens(gguf, tokens)
    _write(folder / "tokenizer.json", _tokenizer(gguf, tokens, added))
    _write(folder / "tokenizer_config.json", _tokenizer_config(gguf, tokens, added))
    ends = end_tokens(gguf)
    _write(
        folder / "generation_config.json",
        {"eos_token_id": ends if len(ends) > 1 else ends[0], "pad_token_id": _pad(gguf, tokens)},
    )


def end_tokens(gguf: GgufFile) -> list[int]:
    """The ids of the tokens that end a generation, the file's own EOS first."""
    tokens: list[str] = gguf.need("tokenizer.ggml.tokens")
    ids = [int(gguf.need("tokenizer.ggml.eos_token_id"))]
    ids += [int(gguf.get(f"tokenizer.ggml.{key}_token_id", ids[0])) for key in ("eot", "eom")]
    ids += [tokens.index(text) for text in _END_TEXTS if text in tokens]
    if max(ids) >= len(tokens):
        raise ModelError(
            f"{gguf.path}: its end token {max(ids)} is not in its vocabulary. Make the file again."
        )
    return list(dict.fromkeys(ids))


def check_tokenizer(gguf: GgufFile) -> None:
    """Make sure that the file's tokenizer can be rebuilt.

    Raises:
        ModelError: it is of another kind than Qwen2's.
    """
    model, pre = gguf.need("tokenizer.ggml.model"), gguf.get("tokenizer.ggml.pre", "default")
    if model != "gpt2" or pre not in _PRE_TOKENIZERS:
        raise ModelError(
            f"{gguf.path}: tokenizer {model!r} with pre-tokenizer {pre!r} cannot be rebuilt from "
            "a GGUF file (only Qwen2's can). Put the GGUF into the model's Hugging Face folder "
            "and give that folder."
        )


def _added_tokens(gguf: GgufFile, tokens: list[str]) -> list[dict[str, Any]]:
    """The tokens that are found in a text before it is split."""
    kinds = gguf.need("tokenizer.ggml.token_type")
    if len(kinds) != len(tokens):
        raise ModelError(f"{gguf.path}: {len(tokens)} tokens but {len(kinds)} token types.")
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return [
        {"id": number, "content": token, **plain, "special": kind == _CONTROL}
        for number, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
        if kind in (_CONTROL, _USER_DEFINED)
    ]


def _tokenizer(gguf: GgufFile, tokens: list[str], added: list[dict[str, Any]]) -> dict[str, Any]:
    # The vocabulary's tail of unused entries only rounds up the size of a matrix.
    kinds = gguf.need("tokenizer.ggml.token_type")
    used = len(tokens)
    while used and kinds[used - 1] == _UNUSED:
        used -= 1
    byte_level = {"add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": _QWEN2_SPLIT},
                    "behavior": "Isolated",
                    "invert": False,
                },
                {"type": "ByteLevel", **byte_level},
            ],
        },
        "post_processor": _post_processor(gguf, tokens, byte_level),
        "decoder": {"type": "ByteLevel", **byte_level},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: number for number, token in enumerate(tokens[:used])},
            "merges": [merge.split(" ", 1) for merge in gguf.need("tokenizer.ggml.merges")],
        },
    }


def _post_processor(gguf: GgufFile, tokens: list[str], byte_level: dict[str, Any]) -> Any:
    if not gguf.get("tokenizer.ggml.add_bos_token", False):
        return {"type": "ByteLevel", **byte_level}
    number = int(gguf.need("tokenizer.ggml.bos_token_id"))
    begin = {"SpecialToken": {"id": tokens[number], "type_id": 0}}
    text, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    known = {"id": tokens[number], "ids": [number], "tokens": [tokens[number]]}
    return {
        "type": "TemplateProcessing",
        "single": [begin, text],
        "pair": [begin, text, second],
        "special_tokens": {tokens[number]: known},
    }


def _tokenizer_config(
    gguf: GgufFile, tokens: list[str], added: list[dict[str, Any]]
) -> dict[str, Any]:
    bos = gguf.get("tokenizer.ggml.add_bos_token", False)
    config = {
        # The class that takes tokenizer.json as it is. (AutoTokenizer of transformers 5 ignores it
        # for qwen2 and puts NFC back: text in decomposed Unicode then gives other tokens.)
        "tokenizer_class": "TokenizersBackend",
        "added_tokens_decoder": {
            str(token["id"]): {key: value for key, value in token.items() if key != "id"}
            for token in added
        },
        "bos_token": tokens[gguf.need("tokenizer.ggml.bos_token_id")] if bos else None,
        "eos_token": tokens[gguf.need("tokenizer.ggml.eos_token_id")],
        "pad_token": tokens[_pad(gguf, tokens)],
        "unk_token": None,
        "clean_up_tokenization_spaces": False,
        "model_max_length": gguf.get(f"{gguf.architecture}.context_length", 32768),
    }
    template = gguf.get("tokenizer.chat_template")
    return config if template is None else {**config, "chat_template": template}


def _pad(gguf: GgufFile, tokens: list[str]) -> int:
    """The padding token: never the end token if another will do, or training would mask the end."""
    eos = int(gguf.need("tokenizer.ggml.eos_token_id"))
    given = int(gguf.get("tokenizer.ggml.padding_token_id", eos))
    if given != eos and given < len(tokens):
        return given
    return next((tokens.index(text) for text in _END_TEXTS[1:] if text in tokens), eos)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
