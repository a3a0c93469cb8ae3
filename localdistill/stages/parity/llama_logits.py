"""Logits of a GGUF file at all wanted positions of given tokens, as llama.cpp computes them."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localdistill.backends.llama_decoder import ALLOCATION_FAILED
from localdistill.backends.llama_model import LlamaModel, bindings
from localdistill.cores import usable_cores
from localdistill.errors import ExportRejected, MemoryShortage

# Values of logits in one pass: 64 MiB at the most. Three models are compared, each with its logits
# and their log-probabilities: six times that beside the models themselves.
_MOST_LOGITS = 1 << 24
_MOST_TOKENS = 512
_NO_ROOM = (
    "{}: no memory for {}, so that nothing is known of the file yet. Close other programs; the "
    "same command goes on from here."
)


def tokens_at_once(vocabulary: int) -> int:
    """How many tokens go through a model in one pass, so that their logits have room."""
    return max(16, min(_MOST_TOKENS, _MOST_LOGITS // vocabulary))


class LlamaLogits:
    """One model with a context for one sequence of up to ``longest`` tokens. ``close`` frees both.

    Raises:
        ModelError: the file is no model that llama.cpp can read.
        MemoryShortage: there is no room for the context, which says nothing of the file.
    """

    def __init__(self, path: Path, longest: int, threads: int | None = None) -> None:
        self._lib = bindings()
        self.model = LlamaModel(path, gpu_layers=0)
        self.step = tokens_at_once(self.model.vocab_size)
        params = self._lib.llama_context_default_params()
        params.n_ctx = -(-longest // 256) * 256
        params.n_batch = params.n_ubatch = self.step
        params.n_seq_max = 1
        params.n_outputs_max = self.step
        params.n_threads = params.n_threads_batch = threads or usable_cores()
        params.no_perf = True
        self._context = self._lib.llama_init_from_model(self.model.handle, params)
        if not self._context:
            self.model.close()
            raise MemoryShortage(_NO_ROOM.format(path, f"a context of {longest} tokens"))
        self._batch = self._lib.llama_batch_init(self.step, 0, 1)

    def slabs(self, tokens: Sequence[int], first: int) -> Iterator[NDArray[np.float32]]:
        """Logits after each of ``tokens`` from the index ``first`` on, a part at a time.

        Yields arrays of shape (positions, vocabulary) in llama.cpp's memory, each valid until the
        next; ``positions`` adds up to len(tokens) - first.

        Raises:
            MemoryShortage: there is no room to compute them.
            ExportRejected: llama.cpp fails otherwise.
        """
        memory = self._lib.llama_get_memory(self._context)
        self._lib.llama_memory_clear(memory, True)
        for start, end in spans(len(tokens), self.step):
            batch = self._batch
            batch.n_tokens = end - start
            for place, position in enumerate(range(start, end)):
                batch.token[place] = tokens[position]
                batch.pos[place] = position
                batch.n_seq_id[place] = 1
                batch.seq_id[place][0] = 0
                batch.logits[place] = position >= first
            status = self._lib.llama_decode(self._context, batch)
            if status == ALLOCATION_FAILED:
                raise MemoryShortage(
                    _NO_ROOM.format(self.model.path, f"a pass of {self.step} tokens")
                )
            if status != 0:
                raise ExportRejected(f"{self.model.path}: llama.cpp cannot run it ({status}).")
            count = end - max(start, min(first, end))
            if count:
                yield self._rows(count)

    def _rows(self, count: int) -> NDArray[np.float32]:
        pointer: Any = self._lib.llama_get_logits(self._context)
        size = count * self.model.vocab_size
        buffer = (ctypes.c_float * size).from_address(ctypes.addressof(pointer.contents))
        return np.ctypeslib.as_array(buffer).reshape(count, -1)

    def close(self) -> None:
        """Free the context and the weights."""
        if self._context:
            self._lib.llama_batch_free(self._batch)
            self._lib.llama_free(self._context)
            self._context = None
        self.model.close()

    def __enter__(self) -> LlamaLogits:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


def spans(length: int, step: int) -> Iterator[tuple[int, int]]:
    """The parts (first, last + 1) of a row of ``length`` tokens that are computed in one pass."""
    for start in range(0, length, step):
        yield start, min(start + step, length)


def wanted_spans(length: int, first: int, step: int) -> Iterator[tuple[int, int]]:
    """The same, as far as logits from the index ``first`` on are wanted of them."""
    for start, end in spans(length, step):
        if end > first:
            yield max(start, first), end
