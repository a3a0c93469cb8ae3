"""Ollama's Modelfile for a GGUF file.

Ollama renders prompts by a template in Go's language, not by the Jinja template in the file. So
that a model sees what it was trained and tested with, the file's template is rendered on a few
conversations; where it does nothing but ChatML (Qwen, the seed model), the same is written in Go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from localdistill.backends.chat_template import ChatTemplate
from localdistill.errors import ModelError
from localdistill.quantization.gguf_file import GgufFile
from localdistill.quantization.tokenizer_import import end_tokens
from localdistill.sampling import Sampling
from localdistill.types import Message

_QUESTION = " Which one,\n\nthen? "
_BARE = re.compile(
    r"(?:<\|im_start\|>system\n(?P<system>.*?)<\|im_end\|>\n)?"
    rf"<\|im_start\|>user\n{re.escape(_QUESTION)}<\|im_end\|>\n"
    r"<\|im_start\|>assistant\n(?P<opening>.*)",
    re.DOTALL,
)
_QUOTABLE = re.compile(r'[^"\s]+')
# Conversations that tell templates apart: with and without a system message, one turn and several.
_SYSTEM = Message(role="system", content="Be\nbrief. ")
_TURNS = [
    Message(role="user", content="One? "),
    Message(role="assistant", content="Two.\n\n  Three."),
    Message(role="user", content=_QUESTION),
]
_PROBES = ([_TURNS[2]], [_SYSTEM, _TURNS[2]], _TURNS, [_SYSTEM, *_TURNS])
# Source of the form: Ollama's page "Template", which has ChatML for an example.
_GO_TEMPLATE = (
    "{{- range .Messages }}<|im_start|>{{ .Role }}\n"
    "{{ .Content }}<|im_end|>\n"
    "{{ end }}<|im_start|>assistant\n"
)


@dataclass(frozen=True)
class ChatForm:
    """A chat template that is ChatML."""

    system: str | None  # what it puts in where a conversation has no system message
    opening: str  # what it begins the answer with

    def render(self, messages: list[Message]) -> str:
        """The prompt for ``messages``."""
        if self.system is not None and messages[0].role != "system":
            messages = [Message(role="system", content=self.system), *messages]
        turns = (f"<|im_start|>{m.role}\n{m.content}<|im_end|>\n" for m in messages)
        return "".join(turns) + f"<|im_start|>assistant\n{self.opening}"

    @property
    def go_template(self) -> str:
        """The same in Go's template language, without the default system message."""
        return _GO_TEMPLATE + self.opening


def chat_form(gguf: GgufFile) -> ChatForm | None:
    """The form of the file's chat template; None where it is not ChatML, or has none."""
    source = gguf.get("tokenizer.chat_template")
    if not isinstance(source, str):
        return None
    tokens = gguf.need("tokenizer.ggml.tokens")
    bos = gguf.get("tokenizer.ggml.bos_token_id")
    try:
        template = ChatTemplate(
            source,
            bos_token="" if bos is None else tokens[int(bos)],
            eos_token=tokens[int(gguf.need("tokenizer.ggml.eos_token_id"))],
        )
        bare = _BARE.fullmatch(template.render(_PROBES[0]))
        if bare is None:
            return None
        form = ChatForm(bare["system"], bare["opening"])
        same = all(template.render(probe) == form.render(list(probe)) for probe in _PROBES)
    except ModelError:  # it refuses system messages, for example
        return None
    # What would end the quotation, or be taken for a part of the template, cannot be written down.
    marks = ('"""', "{{")
    texts = (form.system or "", form.opening)
    return form if same and not any(mark in text for mark in marks for text in texts) else None


def modelfile(gguf: GgufFile, name: str, sampling: Sampling | None) -> str:
    """The content of a Modelfile that stands beside ``model.gguf``.

    ``sampling`` is the decoding that the model was scored with; without it Ollama's own is left.
    """
    form = chat_form(gguf)
    lines = [f"# ollama create {name} -f Modelfile", "FROM ./model.gguf"]
    if form is None:
        lines += [
            "# The chat template in model.gguf is not ChatML, so it is not written in Ollama's",
            "# language here: Ollama looks for one of its own that is like it. Compare what",
            f"# `ollama show --template {name}` prints before you rely on it.",
        ]
    else:
        lines.append(f'TEMPLATE """{form.go_template}"""')
        if form.system is not None:
            lines.append(f'SYSTEM """{form.system}"""')
    tokens = gguf.need("tokenizer.ggml.tokens")
    # A quotation mark or a line's end would end the quotation, and the rest be an instruction.
    stops = [
        text for text in map(tokens.__getitem__, end_tokens(gguf)) if _QUOTABLE.fullmatch(text)
    ]
    lines += [f'PARAMETER stop "{text}"' for text in stops]
    if sampling is not None:
        lines += [
            f"PARAMETER temperature {sampling.temperature:g}",
            f"PARAMETER top_k {sampling.top_k}",
            f"PARAMETER top_p {sampling.top_p:g}",
            f"PARAMETER min_p {sampling.min_p:g}",
            "PARAMETER repeat_penalty 1",
        ]
    return "\n".join(lines) + "\n"
