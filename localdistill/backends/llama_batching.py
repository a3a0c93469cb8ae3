"""Continuous batching: slots of one decoder that samples occupy, leave, and take over.

A *slot* is one sequence of the decoder that a sample holds from its first token to its last; then
the next sample gets it, so that a batch stays full however long its members are. One more sequence
holds the prompt of the problem whose samples are being started: each of them begins as its copy.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from localdistill.backends.base import GenerationRequest, GenerationStats, Tick
from localdistill.backends.llama_decoder import LlamaDecoder
from localdistill.backends.llama_model import LlamaModel, bindings
from localdistill.backends.llama_sampler import new_chain
from localdistill.sampling import Sampling
from localdistill.types import Completion


@dataclass
class _Sample:
    """One completion while it grows."""

    request: GenerationRequest
    slot: int
    chain: Any  # its C samplers, with their own random stream
    token: int  # what the next step appends, at ``position``
    position: int
    limit: int  # tokens that it may have
    tokens: list[int] = field(default_factory=list)
    logprob: float = 0.0  # sum over its tokens, nats


class ContinuousBatch:
    """The samples that are being decoded now. ``room`` is a sample's context, prompt included."""

    def __init__(
        self,
        model: LlamaModel,
        decoder: LlamaDecoder,
        sampling: Sampling,
        stats: GenerationStats,
        *,
        slots: int,
        room: int,
    ) -> None:
        self._model = model
        self._decoder = decoder
        self._sampling = sampling
        self._stats = stats
        self._room = room
        self._prompt_sequence = slots  # slots are the sequences below it
        self._free = list(range(slots - 1, -1, -1))
        self._active: list[_Sample] = []
        self._shared: Sequence[int] | None = None  # the prompt in the prompt sequence

    def run(
        self, work: Iterable[tuple[GenerationRequest, Sequence[int]]], tick: Tick | None
    ) -> Iterator[Completion]:
        """Decode all of ``work``, pairs of a request and its prompt's tokens."""
        self._decoder.clear()
        waiting = iter(work)
        while True:
            self._fill(waiting)
            if not self._active:
                return
            yield from self._step()
            if tick is not None:
                tick(self._stats)

    def _fill(self, waiting: Iterator[tuple[GenerationRequest, Sequence[int]]]) -> None:
        while self._free:
            item = next(waiting, None)
            if item is None:
                return
            request, prompt = item
            if self._shared is not prompt:
                self._prefill(prompt)
            slot = self._free.pop()
            self._decoder.share(self._prompt_sequence, slot)
            sample = _Sample(
                request=request,
                slot=slot,
                chain=new_chain(self._sampling, request.seed),
                token=prompt[-1],
                position=len(prompt) - 1,
                # The last token drawn is never fed back, so it needs no place in the context.
                limit=min(self._sampling.max_tokens, self._room - len(prompt) + 1),
            )
            self._active.append(sample)
            self._stats.in_flight = len(self._active)

    def _prefill(self, prompt: Sequence[int]) -> None:
        # All but the last token: each sample's first step appends that one, like any other token,
        # and so gets its own row of logits whenever it starts.
        began = time.perf_counter()
        self._decoder.forget(self._prompt_sequence)
        self._decoder.prefill(self._prompt_sequence, prompt[:-1])
        self._shared = prompt
        seconds = time.perf_counter() - began
        self._stats.prefill_tokens += len(prompt) - 1
        self._stats.prefill_s += seconds
        self._stats.model_s += seconds

    def _step(self) -> list[Completion]:
        """Append one token to every active sample; return those that it completed."""
        began = time.perf_counter()
        active, decoder = self._active, self._decoder
        decoder.step(
            [sample.slot for sample in active],
            [sample.token for sample in active],
            [sample.position for sample in active],
        )
        self._stats.model_s += time.perf_counter() - began
        drawn = [decoder.sample(sample.chain, row) for row, sample in enumerate(active)]
        logprobs = decoder.logprobs(drawn)
        end_tokens = self._model.end_tokens
        ended = []
        for sample, token, logprob in zip(active, drawn, logprobs, strict=True):
            sample.tokens.append(token)
            sample.logprob += logprob
            sample.token = token
            sample.position += 1
            if token in end_tokens or len(sample.tokens) >= sample.limit:
                ended.append(sample)
        self._stats.decoded_tokens += len(active)
        completions = [self._complete(sample) for sample in ended]
        self._stats.decode_s += time.perf_counter() - began
        return completions

    def _complete(self, sample: _Sample) -> Completion:
        self._release(sample)
        self._active.remove(sample)
        self._free.append(sample.slot)
        self._stats.in_flight = len(self._active)
        stopped = sample.tokens[-1] in self._model.end_tokens
        return Completion(
            problem_id=sample.request.problem_id,
            sample=sample.request.sample,
            text=self._model.text(sample.tokens[:-1] if stopped else sample.tokens),
            finish_reason="stop" if stopped else "length",
            token_count=len(sample.tokens),
            mean_logprob=sample.logprob / len(sample.tokens),
            seed=sample.request.seed,
        )

    def _release(self, sample: _Sample) -> None:
        bindings().llama_sampler_free(sample.chain)
        self._decoder.forget(sample.slot)

    def close(self) -> None:
        """Drop what is still being decoded."""
        for sample in self._active:
            self._release(sample)
        self._active.clear()
        self._stats.in_flight = 0
