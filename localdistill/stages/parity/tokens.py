"""Check: the new file, the starting file and training agree on template, tokens and end token.

All of it but ``metadata_check`` can be told of the starting file too, before a night has been spent
on a model that the gate will not let through: ``refuse_differing``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from localdistill.backends.llama_model import LlamaModel
from localdistill.errors import LocaldistillError, ModelError
from localdistill.quantization.gguf_file import GgufFile, read_header
from localdistill.stages.parity.checks import Check
from localdistill.stages.parity.conversations import CONVERSATIONS, DECOMPOSED
from localdistill.trainers.chat_tokens import ChatTokenizer
from localdistill.types import Message, TrainingExample

_EOS = "tokenizer.ggml.eos_token_id"
_TEMPLATE = "tokenizer.chat_template"
_FIX = "Give the GGUF file and the Hugging Face folder of one release of the model."


def metadata_check(start: GgufFile, new: GgufFile) -> Check:
    """Tokenizer, template and end token of the new file are those of the starting file."""
    keys = [key for key in {**start.entries, **new.entries} if key.startswith("tokenizer.")]
    differing = sorted(key for key in keys if _raw(start, key) != _raw(new, key))
    return Check(
        name="metadata",
        passed=not differing,
        figures={"entries": len(keys), "differing": len(differing)},
        bound="all entries of the tokenizer are the same bytes",
        reason=f"the new file has another {differing[0]} than the starting file."
        if differing
        else "",
    )


def _raw(gguf: GgufFile, key: str) -> bytes | None:
    entry = gguf.entries.get(key)
    return None if entry is None else gguf.raw(entry.start, entry.end)


class FolderTokens:
    """How a model folder makes tokens of conversations: as training does it."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer

        self.chat: ChatTokenizer | None = None
        self.reason = ""  # why nothing can be compared with it
        try:
            self.chat = ChatTokenizer(folder)
        except ModelError as error:
            self.reason = str(error)
            return
        tokenizer: Any = AutoTokenizer.from_pretrained(
            str(folder), trust_remote_code=False, local_files_only=True
        )
        self.eos: int | None = tokenizer.eos_token_id
        self.template = tokenizer.chat_template


def end_check(gguf: GgufFile, model: LlamaModel, folder: FolderTokens) -> Check:
    """The end token of the file is the folder's, and what ends an answer in the template ends it.

    Many exports fail here: a model whose end token is not the one that its chat template writes
    goes on for ever, or is cut in training.
    """
    name, bound = "end token", "one end token in the file, the folder and the template"
    eos, chat = int(gguf.get(_EOS, -1)), folder.chat
    if chat is None:
        return Check(name=name, passed=None, bound=bound, reason=folder.reason)
    theirs = folder.eos
    figures: dict[str, Any] = {"file": eos, "folder": theirs, "template": chat.end_token}
    reason = ""
    if theirs is not None and theirs != eos:
        reason = (
            f"the file ends at token {eos} ({_text(gguf, eos)}), the folder that was trained at "
            f"{theirs} ({_text(gguf, theirs)}). {_FIX}"
        )
    elif chat.end_token not in model.end_tokens:
        reason = (
            f"the chat template ends an answer with token {chat.end_token} "
            f"({_text(gguf, chat.end_token)}), at which the file does not end. {_FIX}"
        )
    return Check(name=name, passed=not reason, figures=figures, bound=bound, reason=reason)


def _text(gguf: GgufFile, token: int) -> str:
    tokens = gguf.get("tokenizer.ggml.tokens", [])
    return tokens[token] if 0 <= token < len(tokens) else "not in its vocabulary"


def conversation_check(gguf: GgufFile, model: LlamaModel, folder: FolderTokens) -> Check:
    """Prompts have the same text and tokens in training as with the file."""
    name, bound = "conversations", "equal text and token ids in all of them"
    chat = folder.chat
    if chat is None:
        return Check(name=name, passed=None, bound=bound, reason=folder.reason)
    figures: dict[str, Any] = {"compared": len(CONVERSATIONS), "differing": 0, "tokens": 0}
    reasons = []
    for title, messages in CONVERSATIONS.items():
        ours, theirs = _at_run_time(model, messages), _in_training(chat, messages)
        figures["tokens"] += len(ours or ())
        if ours != theirs:
            figures["differing"] += 1
            reasons.append(_difference(title, model, chat, messages, ours, theirs))
    figures["known difference"] = _decomposed(model, chat)
    figures["same template text"] = gguf.get(_TEMPLATE) == folder.template
    return Check(
        name=name,
        passed=not reasons,
        figures=figures,
        bound=bound,
        reason=f"{reasons[0]} {_FIX}" if reasons else "",
    )


def _at_run_time(model: LlamaModel, messages: Sequence[Message]) -> list[int] | None:
    try:
        return model.prompt_tokens(messages)
    except LocaldistillError:  # the template refuses it; so must the other
        return None


def _in_training(chat: ChatTokenizer, messages: Sequence[Message]) -> list[int] | None:
    import jinja2

    answer = Message(role="assistant", content="")
    example = TrainingExample(
        messages=[*messages, answer],
        problem_id="",
        sample=0,
        strategy="",
        complete=False,
        thinking_as_drawn=True,  # nothing is to be added to the prompt
    )
    try:
        return chat.example(example).tokens
    except jinja2.TemplateError:
        return None


def _difference(
    title: str,
    model: LlamaModel,
    chat: ChatTokenizer,
    messages: Sequence[Message],
    ours: list[int] | None,
    theirs: list[int] | None,
) -> str:
    if ours is None or theirs is None:
        return f"one of the two templates refuses the conversation {title!r}."
    here, there = model.template.render(messages), chat.decode(theirs)
    if here != there:
        at = _same_until(here, there)
        return (
            f"the conversation {title!r} is rendered as ...{here[at : at + 40]!r} with the file "
            f"and as ...{there[at : at + 40]!r} in training."
        )
    at = _same_until(ours, theirs)
    return (
        f"the text of the conversation {title!r} becomes {len(ours)} tokens with the file and "
        f"{len(theirs)} in training; the first that differs is number {at}."
    )


def refuse_differing(gguf: Path, folder: Path) -> None:
    """Make sure that a starting file and its folder pass what the gate asks of the new file.

    The new file has the template and tokens of the starting file, and the merged folder has those
    of ``folder``. No weights are read; it takes a few seconds.

    Raises:
        ModelError: they do not, or the folder has no chat template to train with.
    """
    header, tokens = read_header(gguf), FolderTokens(folder)
    if tokens.chat is None:
        raise ModelError(tokens.reason)
    model = LlamaModel(gguf, gpu_layers=0, vocabulary_only=True)
    try:
        for check in (end_check, conversation_check):
            found = check(header, model, tokens)
            if not found.passed:
                text = f"{gguf} and {folder} differ in what is trained and what is run"
                raise ModelError(f"{text} ({found.name}): {found.reason}")
    finally:
        model.close()


def _decomposed(model: LlamaModel, chat: ChatTokenizer) -> str:
    """What becomes of decomposed Unicode: known to differ for Qwen2, so it is told and no fault."""
    ours, theirs = _at_run_time(model, DECOMPOSED), _in_training(chat, DECOMPOSED)
    if ours == theirs:
        return "none"
    composed = [
        message.model_copy(update={"content": unicodedata.normalize("NFC", message.content)})
        for message in DECOMPOSED
    ]
    if theirs == _at_run_time(model, composed):
        return "training composes decomposed Unicode (NFC), llama.cpp does not"
    return "decomposed Unicode has other tokens in training than with the file"


def _same_until(one: Sequence[object], other: Sequence[object]) -> int:
    """The first place where they differ: where one ends, if the other goes on as it began."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
