"""One completion while it grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localdistill.backends.base import GenerationRequest
from localdistill.backends.endings import Watcher
from localdistill.backends.llama_model import LlamaModel
from localdistill.types import Completion, EndedBy

if TYPE_CHECKING:
    from localdistill.backends.prompt_sequence import Prompt


class Sample:
    """A sequence of the decoder from its first drawn token to its last.

    Args:
        model: whose tokens they are.
        request: what is asked for.
        prompt: what stands before it.
        slot: the sequence of the decoder that it has.
        limit: tokens that it may have.
        watcher: says where else it ends.
    """

    __slots__ = (
        "_drawn", "_least", "_model", "_sum", "ended", "limit", "position", "prompt",
        "prompt_copy", "request", "slot", "token", "tokens", "watcher",
    )  # fmt: skip

    def __init__(
        self,
        model: LlamaModel,
        request: GenerationRequest,
        prompt: Prompt,
        slot: int,
        *,
        limit: int,
        watcher: Watcher,
    ) -> None:
        self._model = model
        self.request = request
        self.prompt = prompt
        self.prompt_copy = 0  # which one of its copies in the cache the sample shares
        self.slot = slot
        self.limit = limit
        self.watcher = watcher
        self.token = prompt.tokens[-1]  # what the next step appends, at ``position``
        self.position = len(prompt.tokens) - 1
        self.tokens: list[int] = []
        self.ended: EndedBy | None = None
        self._sum = 0.0  # of log-probabilities, nats
        self._least = 0.0
        self._drawn = 0

    def append(self, token: int, logprob: float) -> None:
        """Take the token that was drawn; ``ended`` says whether it is the last one.

        A token that has to come next stands in its place, and is not counted as drawn: how likely
        the model is to say it tells nothing of the model.
        """
        if self.watcher.forced is None:
            self._sum += logprob
            self._least = min(self._least, logprob)
            self._drawn += 1
        else:
            token = self.watcher.forced
        self.tokens.append(token)
        self.token = token
        self.position += 1
        if token in self._model.end_tokens:
            self.ended = "end_token"
        else:
            self.ended = self.watcher.feed(token, self._model.piece(token))
            if self.ended is None and len(self.tokens) >= self.limit:
                self.ended = "length"

    def completion(self) -> Completion:
        """What it has become. Only for one that has ended."""
        end_token = self.ended == "end_token"
        text = self._model.text(self.tokens[:-1] if end_token else self.tokens)
        parts = self.watcher.divide(text)
        thinks = parts.thinking is not None
        return Completion(
            problem_id=self.request.problem_id,
            sample=self.request.sample,
            text=parts.answer,
            thinking=parts.thinking,
            thinking_before=parts.before if thinks else None,
            thinking_after=parts.after if thinks else None,
            finish_reason="stop" if self.ended in ("end_token", "code_block") else "length",
            token_count=len(self.tokens),
            mean_logprob=self._sum / self._drawn,
            min_logprob=self._least,
            ended_by=self.ended,
            seed=self.request.seed,
        )
