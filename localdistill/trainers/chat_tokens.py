"""Conversations into tokens, and which of them are trained on.

The text is the one that was sampled: the prompt as its chat template renders it for generation,
then all that the model said by itself, thinking included, then the end token. The prompt's tokens
are those that the model was sampled with. The answer's are made anew from its text, and may be
others than were drawn: several rows of tokens make one text, and a tokenizer knows one of them.
Rendering the finished conversation instead would give another text where a template edits answers
(Qwen3's puts an empty ``<think>`` block in, or takes thinking out; others strip whitespace), and
other tokens of the prompt where newlines that begin an answer melt into the prompt's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localdistill.bounded import OutOfBounds, bounded
from localdistill.errors import ModelError
from localdistill.prompt_date import PROMPT_DATE
from localdistill.thinking import CLOSE, OPEN, after_prompt
from localdistill.types import Message, TrainingExample

# Stands for an answer when the template is asked what it writes after one.
_ANSWER = "localdistill-answer"


@dataclass(frozen=True)
class TokenizedExample:
    """One example as token ids; the loss is taken on those from ``prompt_length`` on."""

    tokens: list[int]
    prompt_length: int
    problem_id: str = ""

    @property
    def response_length(self) -> int:
        """How many tokens are trained on."""
        return len(self.tokens) - self.prompt_length

    def labels(self, ignored: int) -> list[int]:
        """``tokens`` with ``ignored`` in place of those that are not trained on."""
        return [ignored] * self.prompt_length + self.tokens[self.prompt_length :]


class ChatTokenizer:
    """The tokenizer of a model folder, as far as training needs it.

    Raises:
        ModelError: the folder has no tokenizer, or one without a chat template or end token.
    """

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer

        try:
            # Unsloth's own copy may have been repaired into other tokens: this one is the file's.
            self._tokenizer: Any = AutoTokenizer.from_pretrained(
                str(folder), trust_remote_code=False, local_files_only=True
            )
        except (OSError, ValueError) as error:
            text = f"{folder} holds no tokenizer that can be read; use a folder that was exported"
            raise ModelError(f"{text} with its tokenizer ({error}).") from error
        if not self._tokenizer.chat_template:
            raise ModelError(
                f"{folder}: its tokenizer has no chat template; use a chat or instruct model."
            )
        self.end_token: int = self._find_end_token(folder)
        pad = self._tokenizer.pad_token_id
        self.pad_token: int = self.end_token if pad is None else pad
        with_specials = self._ids("", add_special_tokens=True)
        bos = self._tokenizer.bos_token_id
        added: dict[str, int] = self._tokenizer.get_added_vocab()
        self._tags = {tag: added[tag] for tag in (OPEN, CLOSE) if tag in added}
        self._bos = [bos] if bos is not None and with_specials[:1] == [bos] else []

    def example(self, example: TrainingExample) -> TokenizedExample:
        """Tokens of a conversation that ends with an answer of the assistant.

        An answer that was cut by its length has no end token: the model did not end there.
        """
        rendered = self._render(example.messages[:-1], add_generation_prompt=True)
        said = example.messages[-1].content
        said = after_prompt(rendered, said, as_drawn=example.thinking_as_drawn)
        prompt, answer = self._prompt(rendered), self._answer(said)
        end = [self.end_token] if example.complete else []
        return TokenizedExample(prompt + answer + end, len(prompt), example.problem_id)

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of ``tokens``, special tokens included."""
        text: str = self._tokenizer.decode(
            list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return text

    def _prompt(self, rendered: str) -> list[int]:
        tokens = self._ids(rendered)
        # Some templates write the start token and some leave it to the tokenizer: one is wanted.
        return tokens if tokens[:1] == self._bos else self._bos + tokens

    def _answer(self, text: str) -> list[int]:
        # Sampled text never holds control tokens: what looks like one was spelled letter by letter.
        # But the tags of thinking, which some files declare as such, are in it (llama_model.piece).
        tokens: list[int] = []
        for part in re.split(f"({'|'.join(self._tags)})", text) if self._tags else [text]:
            tag = self._tags.get(part)
            tokens += self._ids(part, split_special_tokens=True) if tag is None else [tag]
        return tokens

    def _ids(self, text: str, *, add_special_tokens: bool = False, **how: bool) -> list[int]:
        encoded = self._tokenizer(text, add_special_tokens=add_special_tokens, verbose=False, **how)
        ids: list[int] = encoded["input_ids"]
        return ids

    def _render(self, messages: Sequence[Message], *, add_generation_prompt: bool) -> str:
        conversation = [message.model_dump() for message in messages]
        try:
            with bounded():  # transformers renders in Jinja's sandbox, which bounds neither
                text: str = self._tokenizer.apply_chat_template(
                    conversation,
                    tokenize=False,
                    add_generation_prompt=add_generation_prompt,
                    strftime_now=PROMPT_DATE.strftime,  # as sampling has it, and not today's
                )
        except OutOfBounds as error:
            message = f"the tokenizer's chat template makes too much of a prompt ({error})"
            raise ModelError(f"{message}; use another model folder.") from error
        return text

    def _find_end_token(self, folder: Path) -> int:
        """The first special token that the template writes after an answer, else the EOS token.

        For ChatML this is ``<|im_end|>``, also where a base model names another token as its EOS.
        """
        conversation = [
            Message(role="user", content="question"),
            Message(role="assistant", content=_ANSWER),
        ]
        text = self._render(conversation, add_generation_prompt=False)
        special = set(self._tokenizer.all_special_ids)
        special |= set(self._tokenizer.get_added_vocab().values())
        for token in self._ids(text.rpartition(_ANSWER)[2]):
            if token in special:
                return token
        eos: int | None = self._tokenizer.eos_token_id
        if eos is None:
            raise ModelError(f"{folder}: its tokenizer has no token that ends an answer.")
        return eos
