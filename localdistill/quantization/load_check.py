"""The first look at a finished GGUF file: its numbers are finite, and llama.cpp answers with it.

This finds files that are broken, not models that have become worse.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from localdistill.bounded import bounded
from localdistill.errors import ExportRejected, ModelError
from localdistill.quantization import ggml
from localdistill.quantization.gguf_file import GgufFile, read_header

_PROMPT = "Write a Python function that returns the larger of two numbers."
_ANSWER_TOKENS = 8
_CONTEXT = 512  # tokens
# llama-cpp-python renders the file's own template, which is a stranger's; with it, to compute eight
# tokens of a large model on a CPU.
_ANSWER_S, _ANSWER_BYTES = 600.0, 4 << 30


def check_loads(path: Path, on_tensor: Callable[[str], None] = lambda name: None) -> None:
    """Check that the GGUF file ``path`` can be run.

    Raises:
        ExportRejected: a weight is not a finite number, llama.cpp cannot load the file, or its
            answer to a prompt is empty.
    """
    gguf = read_header(path)
    _check_finite(gguf, on_tensor)
    llama = ggml.llama_library()
    try:
        model = llama.Llama(
            str(path), n_ctx=_CONTEXT, n_batch=_CONTEXT, n_gpu_layers=0, verbose=False
        )
    except (ValueError, RuntimeError, AssertionError) as error:
        raise ExportRejected(f"{path}: llama.cpp cannot load the new file ({error}).") from error
    try:
        sampling = {"max_tokens": _ANSWER_TOKENS, "temperature": 0.0}
        if "tokenizer.chat_template" in gguf.entries:
            messages = [{"role": "user", "content": _PROMPT}]
            with bounded(_ANSWER_S, _ANSWER_BYTES):
                answer = model.create_chat_completion(messages, **sampling)
        else:
            answer = model.create_completion(_PROMPT, **sampling)
    except Exception as error:  # of llama.cpp, or of the file's own chat template
        raise ExportRejected(f"{path}: the new file cannot answer ({error}).") from error
    finally:
        model.close()
    if answer["usage"]["completion_tokens"] < 1:
        raise ExportRejected(f"{path}: the new file's answer to a prompt is empty.")


def _check_finite(gguf: GgufFile, on_tensor: Callable[[str], None]) -> None:
    for tensor in gguf.tensors.values():
        try:
            for _ in ggml.slabs(gguf, tensor):
                pass
        except ModelError as error:
            raise ExportRejected(str(error)) from error
        on_tensor(tensor.name)
