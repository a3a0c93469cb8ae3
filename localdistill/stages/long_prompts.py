"""Problems that a model cannot be asked, as their prompts are longer than its context."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from localdistill.backends.llama_model import LlamaModel
from localdistill.errors import ProblemSetError
from localdistill.jsonl import iter_rows
from localdistill.problems.prompt import messages
from localdistill.quantization.gguf_file import GgufFile
from localdistill.types import Message, Problem

_TEMPLATE = 1024  # tokens that a chat template may add


def too_long(gguf: GgufFile, sets: Sequence[Path]) -> dict[str, list[str]]:
    """By the name of each set that has some: the ids of problems that leave no room for a token.

    No weights are read, and not even the vocabulary where all prompts are short.

    Raises:
        ModelError, UserError: a file cannot be read.
        ProblemSetError: none of a set's problems is left.
    """
    context = gguf.get(f"{gguf.architecture}.context_length")
    if not isinstance(context, int):
        return {}
    asked = {
        path.stem: [(row.id, messages(row)) for row in iter_rows(path, Problem)] for path in sets
    }
    suspects = {
        name: [(key, turns) for key, turns in rows if _may_be_long(turns, context)]
        for name, rows in asked.items()
    }
    if not any(suspects.values()):
        return {}
    model = LlamaModel(gguf.path, gpu_layers=0, vocabulary_only=True)
    try:
        found = {
            name: [key for key, turns in rows if _tokens(model, turns) >= context]
            for name, rows in suspects.items()
        }
    finally:
        model.close()
    for name, ids in found.items():
        if ids and len(ids) == len(asked[name]):
            text = f"{name}: the prompts of all problems are longer than the model's context"
            raise ProblemSetError(
                f"{text} ({context} tokens). Shorten them, or take another model."
            )
    return {name: ids for name, ids in found.items() if ids}


def _may_be_long(turns: Sequence[Message], context: int) -> bool:
    # A token is a byte at the least.
    return sum(len(message.content.encode()) for message in turns) + _TEMPLATE >= context


def _tokens(model: LlamaModel, turns: Sequence[Message]) -> int:
    return len(model.tokens_of_prompt(model.template.render(turns)))
