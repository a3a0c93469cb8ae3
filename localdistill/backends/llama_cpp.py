"""Generation with llama.cpp: many samples decoded together, each prompt computed once."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from localdistill.backends.base import (
    GenerationRequest,
    GenerationStats,
    ListSource,
    RequestSource,
    Tick,
)
from localdistill.backends.draw import new_draw
from localdistill.backends.endings import Watcher
from localdistill.backends.llama_batching import ContinuousBatch
from localdistill.backends.llama_decoder import LlamaDecoder
from localdistill.backends.llama_model import LlamaModel
from localdistill.backends.prompt_sequence import Prompt
from localdistill.backends.sample import Sample
from localdistill.config import MAX_SLOTS
from localdistill.errors import UserError
from localdistill.sampling import Sampling
from localdistill.thinking import CLOSING, opened_by
from localdistill.types import Completion, Message


class LlamaCppGenerator:
    """``base.Generator`` on one GGUF file.

    Args:
        model_path: the GGUF file; prompts are rendered with its own chat template.
        sampling: how tokens are drawn.
        slots: samples decoded together, 1 to 255.
        threads: CPU threads of a forward pass.
        cells: tokens that the cache holds, for all samples and prompts together. Without it: as
            many as if every slot had the longest prompt and became as long as it may. With fewer,
            a sample that finds no room begins again later.
        batch: tokens in a forward pass, at most.
        gpu_layers: layers to put on a GPU, -1 for all (a build without GPU ignores it).
        weights: the same model with its weights in 16 bits, to be opened in its place.

    Raises:
        ModelError: the file cannot be used, or there is no memory for it.
        UserError: ``slots`` is out of range.
    """

    def __init__(
        self,
        model_path: Path,
        sampling: Sampling,
        *,
        slots: int,
        threads: int,
        cells: int | None = None,
        batch: int = 256,
        gpu_layers: int = -1,
        weights: Path | None = None,
    ) -> None:
        if not 1 <= slots <= MAX_SLOTS:
            raise UserError(f"--slots must be from 1 to {MAX_SLOTS}, not {slots}")
        self.sampling = sampling
        self.slots = slots
        self.threads = threads
        form = "stored" if weights is None else "f16"
        self.stats = GenerationStats(slots=slots, gpu_layers=gpu_layers, weights=form)
        self._model = LlamaModel(model_path, gpu_layers=gpu_layers, weights=weights)
        self._cells = cells
        self._batch = batch
        self._closing = self._model.tokenize(CLOSING)
        self._draw = new_draw(sampling, self._model.vocab_size)
        self._decoder: LlamaDecoder | None = None
        self._room = 0  # tokens of one sample, prompt included
        # Packed: ten thousand prompts as lists of Python integers would take 100 MB.
        self._prompts: dict[str, tuple[list[Message], Prompt]] = {}

    def prepare(self, requests: Sequence[GenerationRequest]) -> None:
        """See ``base.Generator``. The context grows if later requests need more of it."""
        longest = max((len(self._prompt(request).tokens) for request in requests), default=1)
        allowed = self._model.trained_context
        for request in requests:
            needed = len(self._prompt(request).tokens) + 1
            if needed > allowed:
                raise UserError(
                    f"problem {request.problem_id}: its prompt needs a context of {needed} tokens "
                    f"and {self._model.path.name} has {allowed}; leave the problem out"
                )
        room = min(longest + self.sampling.max_tokens, allowed)
        if self._decoder is None or room > self._room:
            self._close_decoder()
            self._room = room
            # Every slot full, and a prompt that no sample has begun with yet. At the least, one
            # sample must come to its end beside such a prompt.
            most, least = self.slots * room + longest, room + longest
            cells = most if self._cells is None else max(least, min(most, self._cells))
            self._decoder = LlamaDecoder(
                self._model,
                sequences=self.slots + 1,
                cells=cells,
                threads=self.threads,
                batch=self._batch,
            )
            self.stats.cells = self._decoder.cells

    def _prompt(self, request: GenerationRequest) -> Prompt:
        known = self._prompts.get(request.problem_id)
        if known is None or (known[0] is not request.messages and known[0] != request.messages):
            text = self._model.template.render(request.messages)
            tokens = array("i", self._model.tokens_of_prompt(text))
            prompt = Prompt(tokens, opens_thinking=opened_by(text))
            known = self._prompts[request.problem_id] = (request.messages, prompt)
        return known[1]

    def _new_sample(self, request: GenerationRequest, prompt: Prompt, slot: int) -> Sample:
        watcher = Watcher(
            self.sampling,
            thinking_opened=prompt.opens_thinking,
            closing=self._closing,
            entry_point=request.entry_point,
        )
        # The last token drawn is never fed back, so it needs no place in the context.
        limit = min(self.sampling.max_tokens, self._room - len(prompt.tokens) + 1)
        return Sample(self._model, request, prompt, slot, limit=limit, watcher=watcher)

    def generate(
        self, requests: Sequence[GenerationRequest] | RequestSource, tick: Tick | None = None
    ) -> Iterator[Completion]:
        """See ``base.Generator``."""
        if isinstance(requests, Sequence):
            self.prepare(requests)
            requests = ListSource(requests)
        assert self._decoder is not None  # noqa: S101 - prepare has made it
        batch = ContinuousBatch(
            self._model, self._decoder, self._draw, self.stats, slots=self.slots
        )
        try:
            yield from batch.run(requests, self._prompt, self._new_sample, tick)
        finally:
            batch.close()

    def _close_decoder(self) -> None:
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None

    def close(self) -> None:
        """Free context and weights."""
        self._close_decoder()
        self._model.close()

    def __enter__(self) -> LlamaCppGenerator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
