"""Ollama's template gives the prompt that the file's own template gives, or is left out."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest

from localdistill.backends.chat_template import ChatTemplate
from localdistill.publishing.modelfile import chat_form, modelfile
from localdistill.quantization.gguf_file import Entry, read_header
from localdistill.sampling import Sampling
from localdistill.types import Message
from tests.quantization.tiny import TEMPLATE, Tiny

SEED = Path(__file__).parents[2] / "models" / "seed" / "seed-q8_0.gguf"
# As Qwen2.5's and Qwen3's templates do without tools.
DEFAULT_SYSTEM = (
    "{%- if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are Qwen.<|im_end|>\n"
    "{% endif %}" + TEMPLATE
)
THINKING = TEMPLATE.replace("<|im_start|>assistant\n", "<|im_start|>assistant\n<think>\n")
TALK = [
    Message(role="user", content="Write f.\n"),
    Message(role="assistant", content="```python\ndef f(): ...\n```"),
    Message(role="user", content="Shorter!"),
]


@pytest.fixture
def with_template(tmp_path):
    """The header of a tiny model whose chat template is another one."""
    gguf = read_header(Tiny.write(tmp_path / "tiny", "qwen3").gguf)

    def one(source):
        entries = {**gguf.entries, "tokenizer.chat_template": Entry(source, 0, 0)}
        if source is None:
            del entries["tokenizer.chat_template"]
        return replace(gguf, entries=entries)

    return one


def ollama_renders(text: str, messages: list[Message]) -> str:
    """What Ollama makes of a Modelfile; its loop in Go read as one in Jinja, which trims alike."""
    template = re.search(r'^TEMPLATE """(.*?)"""$', text, re.DOTALL | re.MULTILINE)
    system = re.search(r'^SYSTEM """(.*?)"""$', text, re.DOTALL | re.MULTILINE)
    assert template is not None
    if system is not None and messages[0].role != "system":
        messages = [Message(role="system", content=system[1]), *messages]
    source = template[1]
    for go, jinja in (
        ("{{- range .Messages }}", "{%- for m in messages %}"), ("{{ .Role }}", "{{ m.role }}"),
        ("{{ .Content }}", "{{ m.content }}"), ("{{ end }}", "{% endfor %}"),
    ):  # fmt: skip
        assert source.count(go) == 1
        source = source.replace(go, jinja)
    assert "{{ ." not in source
    environment = jinja2.Environment(keep_trailing_newline=True)
    return environment.from_string(source).render(messages=messages)


@pytest.mark.parametrize("source", [TEMPLATE, DEFAULT_SYSTEM, THINKING])
def test_it_renders_what_the_file_renders(with_template, source):
    text = modelfile(with_template(source), "mine", None)
    own = ChatTemplate(source, bos_token="", eos_token="<|im_end|>")
    for messages in (TALK, TALK[:1], [Message(role="system", content="Be kind."), *TALK]):
        assert ollama_renders(text, messages) == own.render(messages)


def test_the_seed_models_template_is_recognised():
    form = chat_form(read_header(SEED))
    assert form is not None
    assert (form.system, form.opening) == (None, "")


@pytest.mark.parametrize(
    "source",
    [
        None,
        "{% for m in messages %}[INST]{{ m.content }}[/INST]{% endfor %}",
        TEMPLATE.replace("m['content']", "m['content'] | trim"),
        TEMPLATE.replace("{% for m in messages %}", "{% for m in messages[-1:] %}"),
        TEMPLATE + "{{ raise_exception('no') }}",
        DEFAULT_SYSTEM.replace("You are Qwen.", 'Say """.'),
        DEFAULT_SYSTEM.replace("You are Qwen.", "Say {{ '{{' }}."),
    ],
)
def test_other_templates_are_left_to_ollama_and_it_is_said(with_template, source):
    text = modelfile(with_template(source), "mine", None)
    assert "TEMPLATE " not in text.replace("# The chat template", "")
    assert "not ChatML" in text
    assert "FROM ./model.gguf" in text


def test_stop_words_and_the_decoding_that_was_evaluated(with_template):
    sampling = Sampling(temperature=0.7, top_k=20, top_p=0.8)
    lines = modelfile(with_template(TEMPLATE), "mine", sampling).splitlines()
    assert [line for line in lines if line.startswith("PARAMETER")] == [
        'PARAMETER stop "<|im_end|>"', 'PARAMETER stop "<|endoftext|>"',
        "PARAMETER temperature 0.7", "PARAMETER top_k 20", "PARAMETER top_p 0.8",
        "PARAMETER min_p 0", "PARAMETER repeat_penalty 1",
    ]  # fmt: skip


def test_an_end_token_cannot_bring_in_an_instruction(tmp_path):
    gguf = read_header(Tiny.write(tmp_path / "tiny", "qwen3").gguf)
    tokens = list(gguf.need("tokenizer.ggml.tokens"))
    tokens[gguf.need("tokenizer.ggml.eos_token_id")] = '"\nADAPTER /somewhere\n"'
    entries = {**gguf.entries, "tokenizer.ggml.tokens": Entry(tokens, 0, 0)}
    assert "ADAPTER" not in modelfile(replace(gguf, entries=entries), "m", None)
