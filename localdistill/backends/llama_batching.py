"""Continuous batching: slots of one decoder that samples occupy, leave, and take over.

A *slot* is one sequence of the decoder that a sample holds from its first token to its last; then
the next sample gets it, so that a batch stays full however long its members are. One more sequence
holds the prompt of the samples that are started next: each of them begins as its copy. It is
computed in chunks, in the same forward passes in which the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from localdistill.backends.base import GenerationRequest, GenerationStats, RequestSource, Tick
from localdistill.backends.cells import Cells
from localdistill.backends.draw import Draw, Logits, NotNumbers
from localdistill.backends.llama_decoder import LlamaDecoder
from localdistill.backends.llama_model import LlamaModel
from localdistill.backends.prompt_sequence import Prompt, PromptSequence
from localdistill.backends.sample import Sample
from localdistill.errors import ModelError
from localdistill.types import Completion

# Prompt tokens in a pass beside running samples: few enough that these need not wait for long.
_CHUNK = 128
PromptOf = Callable[[GenerationRequest], Prompt]
NewSample = Callable[[GenerationRequest, Prompt, int], Sample]


class ContinuousBatch:
    """The samples that are being decoded now, ``slots`` of them at most."""

    def __init__(
        self,
        model: LlamaModel,
        decoder: LlamaDecoder,
        draw: Draw,
        stats: GenerationStats,
        *,
        slots: int,
    ) -> None:
        self._model = model
        self._decoder = decoder
        self._draw = draw
        self._stats = stats
        self._prompts = PromptSequence(decoder, slots)  # slots are the sequences below it
        self._cells = Cells(decoder.cells)
        self._free = list(range(slots - 1, -1, -1))
        self._active: list[Sample] = []
        self._next: GenerationRequest | None = None  # taken, and not begun yet
        self._returned: list[GenerationRequest] = []  # begun, and given up for lack of cells

    def run(
        self,
        source: RequestSource,
        prompt_of: PromptOf,
        new_sample: NewSample,
        tick: Tick | None,
    ) -> Iterator[Completion]:
        """Decode all that ``source`` hands out."""
        self._decoder.clear()
        while True:
            self._admit(source, prompt_of, new_sample)
            if not self._active and not self._prompts.owed:
                return
            self._make_room()
            yield from self._step()
            if tick is not None:
                tick(self._stats)

    def _admit(self, source: RequestSource, prompt_of: PromptOf, new_sample: NewSample) -> None:
        """Begin samples in free slots, and find out whose prompt is to be computed next."""
        while True:
            if self._next is None:
                self._next = self._take(source)
            if self._next is None:
                return
            prompt = prompt_of(self._next)
            self._prompts.turn_to(prompt)
            if self._prompts.owed or not self._free:
                return
            if not self._cells.has_room_for_another(self._active, self._prompts):
                return
            slot = self._free.pop()
            sample = new_sample(self._next, prompt, slot)
            self._prompts.begin(sample)
            self._active.append(sample)
            self._next = None
            self._stats.in_flight = len(self._active)

    def _take(self, source: RequestSource) -> GenerationRequest | None:
        if self._returned:
            return self._returned.pop()
        found = source.take(wait=False)
        if found is None and not self._active:
            found = source.take(wait=True)
        return found

    def _make_room(self) -> None:
        """Give up the youngest samples where the next tokens would not fit into the cache.

        They lose least, and begin again with the same random numbers as soon as there is room.
        """
        while len(self._active) > 1 and not self._cells.hold(
            self._active, self._prompts, more=len(self._active)
        ):
            youngest = min(reversed(self._active), key=lambda sample: len(sample.tokens))
            self._stats.discarded_tokens += len(youngest.tokens)
            self._release(youngest)
            if self._next is not None:
                self._returned.append(self._next)
            self._next = youngest.request

    def _step(self) -> list[Completion]:
        """Append one token to every active sample; return those that it completed."""
        began = time.perf_counter()
        active, stats = self._active, self._stats
        room = self._decoder.batch - len(active)
        part = self._prompts.part(min(_CHUNK, room) if active else room)
        logits = self._decoder.step(
            [sample.slot for sample in active],
            [sample.token for sample in active],
            [sample.position for sample in active],
            part,
        )
        decoded = time.perf_counter()
        completions = self._extend(logits)
        ended = time.perf_counter()
        share = 0.0
        if part is not None:
            count = len(part[1])
            self._prompts.advance(count)
            stats.prefill_tokens += count
            share = count / (count + len(active))
        stats.decoded_tokens += len(active)
        stats.model_s += decoded - began
        stats.prefill_s += (decoded - began) * share
        stats.decode_s += (decoded - began) * (1 - share) + ended - decoded
        self._active = [sample for sample in active if not sample.ended]
        stats.in_flight = len(self._active)
        return completions

    def _extend(self, logits: Logits) -> list[Completion]:
        """Draw the next token of each active sample."""
        active = self._active
        if not active:
            return []
        began = time.perf_counter()
        try:
            tokens, logprobs = self._draw(
                logits,
                np.array([sample.request.seed for sample in active], dtype=np.uint64),
                np.array([len(sample.tokens) for sample in active], dtype=np.uint32),
            )
        except NotNumbers as error:
            raise ModelError(
                f"{self._model.path} computes values that are not numbers: the file is damaged or "
                "its training diverged"
            ) from error
        self._stats.sample_s += time.perf_counter() - began
        completions = []
        for sample, token, logprob in zip(active, tokens.tolist(), logprobs.tolist(), strict=True):
            sample.append(token, logprob)
            if sample.ended:
                completions.append(sample.completion())
                self._cells.finished(sample)
                self._leave(sample)
        return completions

    def _leave(self, sample: Sample) -> None:
        self._decoder.forget(sample.slot)
        self._free.append(sample.slot)

    def _release(self, sample: Sample) -> None:
        self._leave(sample)
        self._active.remove(sample)
        self._stats.in_flight = len(self._active)

    def close(self) -> None:
        """Drop what is still being decoded."""
        for sample in list(self._active):
            self._release(sample)
