"""The first look at a finished GGUF file: its numbers are finite, and llama.cpp answers with it.

This finds files that are broken, not models that have become worse.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from localdistill import memory
from localdistill.bounded import OutOfBounds, bounded
from localdistill.errors import ExportRejected, LocaldistillError, MemoryShortage, ModelError
from localdistill.quantization import ggml
from localdistill.quantization.gguf_file import GgufFile, read_header
from localdistill.quantization.llama_quantize import captured_log

_PROMPT = "Write a Python function that returns the larger of two numbers."
_ANSWER_TOKENS = 8
_CONTEXT = 512  # tokens
_TEMPLATE = "tokenizer.chat_template"


def check_loads(path: Path, on_tensor: Callable[[str], None] = lambda name: None) -> None:
    """Check that the GGUF file ``path`` can be run.

    Raises:
        ExportRejected: a weight is not a finite number, llama.cpp cannot load the file, or its
            answer to a prompt is empty.
        MemoryShortage: there is too little memory to see.
        ModelError: a chat template of it cannot be read, or does not keep within bounds.
    """
    gguf = read_header(path)
    llama = ggml.llama_library()
    _check_templates(gguf)
    _check_finite(gguf, on_tensor)
    # It says in its log only why something failed.
    with captured_log(llama) as lines:
        try:
            model = llama.Llama(
                str(path), n_ctx=_CONTEXT, n_batch=_CONTEXT, n_gpu_layers=0, verbose=False
            )
        except (ValueError, RuntimeError, AssertionError, MemoryError) as error:
            raise _failure(f"{path}: llama.cpp cannot load the new file", error, lines) from error
        try:
            answer = model.create_completion(
                _prompt(llama, model, gguf), max_tokens=_ANSWER_TOKENS, temperature=0.0
            )
        except LocaldistillError:
            raise
        except Exception as error:  # of llama.cpp, or of the file's own chat template
            raise _failure(f"{path}: the new file cannot answer", error, lines) from error
        finally:
            model.close()
    if answer["usage"]["completion_tokens"] < 1:
        raise ExportRejected(f"{path}: the new file's answer to a prompt is empty.")


def _check_templates(gguf: GgufFile) -> None:
    """Compile all chat templates within bounds: llama-cpp-python is about to do it without.

    It compiles each that a file has, used or not, and so computes what is constant in them.
    """
    from jinja2 import TemplateError
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    for name, entry in gguf.entries.items():
        key, text = name.partition("\0")[0], entry.value  # to llama.cpp a name ends there
        if key != _TEMPLATE and not key.startswith(f"{_TEMPLATE}."):
            continue
        try:
            if not isinstance(text, str):
                raise TypeError("no text")
            with bounded():
                Jinja2ChatFormatter(text, "", "")
        except (TemplateError, TypeError, OutOfBounds) as error:
            message = f"{gguf.path}: {key} cannot be read ({error})"
            raise ModelError(f"{message}; use another model file.") from error


def _prompt(llama: Any, model: Any, gguf: GgufFile) -> str | list[int]:
    """The question in the file's own chat template, or as it is where there is none.

    The template is a stranger's, and so is rendered within bounds. They hold for nothing else: a
    build for GPUs reserves far more address space than they allow when it first computes.
    """
    if _TEMPLATE not in gguf.entries:
        return _PROMPT
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter

    texts = (
        model._model.token_get_text(token) if token >= 0 else ""
        for token in (model.token_eos(), model.token_bos())
    )
    try:
        with bounded():
            formatter = Jinja2ChatFormatter(gguf.get(_TEMPLATE), *texts)
            text = formatter(messages=[{"role": "user", "content": _PROMPT}]).prompt
    except OutOfBounds as error:
        message = f"{gguf.path}: the chat template makes too much of a prompt ({error})"
        raise ModelError(f"{message}; use another model file.") from error
    tokens: list[int] = model.tokenize(text.encode(), add_bos=False, special=True)
    return tokens


def _failure(what: str, error: Exception, lines: Sequence[str]) -> LocaldistillError:
    """A rejection, unless it was for lack of memory, which says nothing of the file."""
    sys.stderr.write("".join(lines))  # the stage's log
    if isinstance(error, MemoryError) or memory.is_short(f"{error}\n{''.join(lines)}"):
        return MemoryShortage(
            f"{what}: there is too little memory. Close other programs; the same command goes on "
            "from here."
        )
    return ExportRejected(f"{what} ({error}).")


def _check_finite(gguf: GgufFile, on_tensor: Callable[[str], None]) -> None:
    for tensor in gguf.tensors.values():
        try:
            for _ in ggml.slabs(gguf, tensor):
                pass
        except ModelError as error:
            raise ExportRejected(str(error)) from error
        on_tensor(tensor.name)
