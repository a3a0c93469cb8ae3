"""How surprised a model is by given answers: nats a token, as llama.cpp computes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from localdistill.stages.general.questions import Question
from localdistill.stages.parity.llama_logits import LlamaLogits
from localdistill.types import Message

_LONGEST = 512  # tokens of a question with its answer; the longest has about 150


def surprise(
    gguf: Path,
    questions: Sequence[Question],
    threads: int | None = None,
    on_question: Callable[[], None] = lambda: None,
) -> list[float]:
    """Mean negative log-likelihood of each question's answer, nats a token of the answer.

    The question stands in the model's own chat template; its tokens are not counted.

    Raises:
        ModelError: the file is no model that llama.cpp can read, or its template refuses.
    """
    found = []
    with LlamaLogits(gguf, _LONGEST, threads) as logits:
        model = logits.model
        for question in questions:
            prompt = model.prompt_tokens([Message(role="user", content=question.prompt)])
            tokens = (prompt + model.tokenize(question.answer))[:_LONGEST]
            first = len(prompt) - 1
            wanted = np.array(tokens[first + 1 :])
            total, place = 0.0, 0
            for slab in logits.slabs(tokens[:-1], first):
                rows = np.arange(slab.shape[0])
                highest = slab.max(axis=-1)
                # log-sum-exp in 64 bits, as the sum runs over the whole vocabulary
                shifted = np.exp((slab - highest[:, None]).astype(np.float64))
                chosen = slab[rows, wanted[place : place + len(rows)]] - highest
                total += float((np.log(shifted.sum(axis=-1)) - chosen).sum())
                place += len(rows)
            found.append(total / max(1, place))
            on_question()
    return found
