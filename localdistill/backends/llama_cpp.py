"""Generation with llama.cpp: many samples decoded together, each prompt computed once."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from localdistill.backends.base import GenerationRequest, GenerationStats, Tick
from localdistill.backends.llama_batching import ContinuousBatch
from localdistill.backends.llama_decoder import LlamaDecoder
from localdistill.backends.llama_model import LlamaModel
from localdistill.errors import UserError
from localdistill.sampling import Sampling
from localdistill.types import Completion, Message

MAX_SLOTS = 255  # llama.cpp allows 256 sequences, and one holds the prompt


class LlamaCppGenerator:
    """``base.Generator`` on one GGUF file.

    Args:
        model_path: the GGUF file; prompts are rendered with its own chat template.
        sampling: how tokens are drawn.
        slots: samples decoded together, 1 to 255.
        threads: CPU threads of a forward pass.
        context_per_slot: tokens of prompt and completion of one sample. Without it: the longest
            prompt plus ``max_tokens``, at most what the model was trained for.
        gpu_layers: layers to put on a GPU, -1 for all (a build without GPU ignores it).

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
        context_per_slot: int | None = None,
        gpu_layers: int = -1,
    ) -> None:
        if not 1 <= slots <= MAX_SLOTS:
            raise UserError(f"--slots must be from 1 to {MAX_SLOTS}, not {slots}")
        self.sampling = sampling
        self.slots = slots
        self.threads = threads
        self.stats = GenerationStats()
        self._model = LlamaModel(model_path, gpu_layers=gpu_layers)
        self._context = context_per_slot
        self._decoder: LlamaDecoder | None = None
        self._room = 0  # tokens of one sample, prompt included
        # Packed: ten thousand prompts as lists of Python integers would take 100 MB.
        self._prompts: dict[str, tuple[list[Message], array[int]]] = {}

    def prepare(self, requests: Sequence[GenerationRequest]) -> None:
        """See ``base.Generator``. The context grows if later requests need more of it."""
        longest = max((len(self._prompt(request)) for request in requests), default=1)
        allowed = min(self._context or self._model.trained_context, self._model.trained_context)
        for request in requests:
            needed = len(self._prompt(request)) + 1
            if needed > allowed:
                raise UserError(
                    f"problem {request.problem_id}: its prompt needs a context of {needed} tokens "
                    f"and {self._model.path.name} has {allowed}; leave the problem out"
                )
        room = min(longest + self.sampling.max_tokens, allowed)
        if self._decoder is None or room > self._room:
            self._close_decoder()
            self._room = room
            # Every slot full, and a prompt that no sample has begun with yet.
            self._decoder = LlamaDecoder(
                self._model,
                sequences=self.slots + 1,
                cells=self.slots * room + longest,
                threads=self.threads,
            )

    def _prompt(self, request: GenerationRequest) -> array[int]:
        known = self._prompts.get(request.problem_id)
        if known is None or (known[0] is not request.messages and known[0] != request.messages):
            tokens = array("i", self._model.prompt_tokens(request.messages))
            known = self._prompts[request.problem_id] = (request.messages, tokens)
        return known[1]

    def generate(
        self, requests: Sequence[GenerationRequest], tick: Tick | None = None
    ) -> Iterator[Completion]:
        """See ``base.Generator``."""
        self.prepare(requests)
        assert self._decoder is not None  # noqa: S101 - prepare has made it
        batch = ContinuousBatch(
            self._model, self._decoder, self.sampling, self.stats, slots=self.slots, room=self._room
        )
        work = ((request, self._prompt(request)) for request in requests)
        try:
            yield from batch.run(work, tick)
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
