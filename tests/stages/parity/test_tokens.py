"""Template, tokens and end token: what must be the same in training and with the file."""

from __future__ import annotations

import json
import struct

import pytest

from localdistill.backends.llama_model import LlamaModel
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.tokenizer_import import write_tokenizer
from localdistill.stages.parity.tokens import (
    FolderTokens,
    conversation_check,
    end_check,
    metadata_check,
)
from tests.quantization.tiny import TEMPLATE, TOKENS, Tiny
from tests.trainers.conftest import example

pytestmark = pytest.mark.real


@pytest.fixture
def tiny(tmp_path) -> Tiny:
    model = Tiny.write(tmp_path / "tiny", "qwen3")
    write_tokenizer(read_header(model.gguf), model.master)
    return model


def with_eos(model: Tiny, token: str):
    """A copy of the GGUF with another end token."""
    gguf = read_header(model.gguf)
    raw = bytearray(model.gguf.read_bytes())
    end = gguf.entries["tokenizer.ggml.eos_token_id"].end
    raw[end - 4 : end] = struct.pack("<I", TOKENS.index(token))
    out = model.gguf.with_name("eos.gguf")
    out.write_bytes(raw)
    return out


def with_template(model: Tiny, old: str, new: str):
    """A copy of the GGUF whose template has ``new`` in place of ``old``, as long as it."""
    assert len(old) == len(new) and old in TEMPLATE
    out = model.gguf.with_name("template.gguf")
    out.write_bytes(model.gguf.read_bytes().replace(old.encode(), new.encode()))
    return out


def checked(check, path, folder):
    model = LlamaModel(path, gpu_layers=0)
    try:
        return check(read_header(path), model, FolderTokens(folder))
    finally:
        model.close()


def test_a_model_and_its_folder_agree(tiny):
    gguf = read_header(tiny.gguf)
    assert metadata_check(gguf, gguf).passed
    end = checked(end_check, tiny.gguf, tiny.master)
    assert end.passed and len(set(end.figures.values())) == 1
    found = checked(conversation_check, tiny.gguf, tiny.master)
    assert found.passed, found.reason
    assert found.figures["differing"] == 0 and found.figures["tokens"] > 500
    assert found.figures["known difference"] == "none"
    assert found.figures["same template text"]


def test_so_they_do_where_the_template_opens_the_thinking(tiny):
    changed = with_template(tiny, "<|im_start|>assistant\n", "<|im_start|>me\n<think>")
    write_tokenizer(read_header(changed), tiny.master)
    found = checked(conversation_check, changed, tiny.master)
    assert found.passed, found.reason
    assert found.figures["known difference"] == "none"
    chat = FolderTokens(tiny.master).chat
    prompt = chat.example(example("x")).tokens
    assert chat.decode(prompt).endswith("<|im_start|>me\n<think>\n</think>\n\nx<|im_end|>")


def test_another_end_token_in_the_file_is_told(tiny):
    changed = with_eos(tiny, "<|endoftext|>")
    found = checked(end_check, changed, tiny.master)
    assert found.passed is False
    assert "<|endoftext|>" in found.reason and "<|im_end|>" in found.reason
    found = metadata_check(read_header(tiny.gguf), read_header(changed))
    assert found.passed is False and "eos_token_id" in found.reason


def test_a_template_whose_answers_end_where_the_file_does_not_is_told(tiny):
    # Both forms agree on their end token, and the template writes another one after an answer.
    path = tiny.master / "tokenizer_config.json"
    config = json.loads(path.read_text())
    template = TEMPLATE.replace("<|im_end|>", "<|im_start|>")
    path.write_text(json.dumps({**config, "chat_template": template}))
    found = checked(end_check, tiny.gguf, tiny.master)
    assert found.passed is False and "template ends an answer" in found.reason


def test_another_template_in_the_file_is_told_with_the_place(tiny):
    changed = with_template(tiny, "<|im_start|>assistant", "<|im_start|>assistent")
    found = checked(conversation_check, changed, tiny.master)
    assert found.passed is False
    assert "'plain'" in found.reason and "ent" in found.reason
    assert found.figures["same template text"] is False


def test_other_tokens_for_the_same_text_are_told(tiny):
    path = tiny.master / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["model"]["merges"] = []  # no token is longer than a byte
    path.write_text(json.dumps(tokenizer))
    found = checked(conversation_check, tiny.gguf, tiny.master)
    assert found.passed is False
    assert "tokens with the file" in found.reason


def test_composing_unicode_in_training_is_a_known_difference(tiny):
    path = tiny.master / "tokenizer.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "normalizer": {"type": "NFC"}}))
    found = checked(conversation_check, tiny.gguf, tiny.master)
    assert found.passed, found.reason
    assert "NFC" in found.figures["known difference"]


def test_a_folder_without_a_template_leaves_it_open(tiny):
    path = tiny.master / "tokenizer_config.json"
    config = json.loads(path.read_text())
    del config["chat_template"]
    path.write_text(json.dumps(config))
    for check in (end_check, conversation_check):
        found = checked(check, tiny.gguf, tiny.master)
        assert found.passed is None and "no chat template" in found.reason
