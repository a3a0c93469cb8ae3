"""A llama.cpp context that decodes several sequences at once, and reads their logits in place."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from localdistill import memory
from localdistill.backends.draw import Logits
from localdistill.backends.llama_model import LlamaModel, bindings
from localdistill.errors import MemoryShortage, ModelError

_LOWER = "Lower generate.slots or max_tokens (--slots, --max-tokens)."
ALLOCATION_FAILED = -2  # of llama_decode, by llama.cpp's llama-context.cpp
_FLASH_ATTENTION = -1  # where llama.cpp can; without it decoding was slower in all trials


class LlamaDecoder:
    """One context with ``sequences`` sequences over a cache of ``cells`` tokens that they share.

    Tokens that several sequences have in common (a prompt) are stored once. A forward pass holds up
    to ``batch`` tokens, or one of each sequence if there are more of them.

    Raises:
        MemoryShortage: there is not enough memory for the context.
    """

    def __init__(
        self, model: LlamaModel, *, sequences: int, cells: int, threads: int, batch: int = 256
    ) -> None:
        self._lib = bindings()
        self._model = model
        self.cells = -(-cells // 256) * 256  # llama.cpp rounds up to this, too
        if not self._lib.llama_supports_gpu_offload():
            # Linux promises memory that it does not have, and kills whoever then uses it.
            what = f"{model.path}, a context of {self.cells} tokens"
            memory.require(self.cells * model.cache_bytes, what, _LOWER)
        params = self._lib.llama_context_default_params()
        params.n_ctx = self.cells
        params.n_batch = params.n_ubatch = max(batch, sequences)
        params.n_seq_max = sequences
        params.n_outputs_max = sequences  # else room is made for the logits of a whole batch
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = _FLASH_ATTENTION
        params.kv_unified = True
        params.no_perf = True
        self.handle = self._lib.llama_init_from_model(model.handle, params)
        if not self.handle:
            raise MemoryShortage(
                f"{model.path}: no memory for a context of {self.cells} tokens. {_LOWER}"
            )
        self._memory = self._lib.llama_get_memory(self.handle)
        self.batch = int(params.n_batch)  # tokens that one pass may hold
        self._allocate_batch(self.batch)
        self._rows: dict[tuple[int, int], Logits] = {}

    def _allocate_batch(self, size: int) -> None:
        # The batch's arrays belong to numpy and llama.cpp reads them: nothing is copied a step.
        self._tokens = np.zeros(size, dtype=np.int32)
        self._positions = np.zeros(size, dtype=np.int32)
        self._wanted = np.zeros(size, dtype=np.int8)
        self._sequences = np.zeros(size, dtype=np.int32)
        self._counts = np.ones(size, dtype=np.int32)  # each token belongs to one sequence
        base = self._sequences.ctypes.data
        self._sequence_pointers = np.arange(base, base + 4 * size, 4, dtype=np.uintp)

        def pointer(array: npt.NDArray[Any], kind: Any) -> Any:
            return ctypes.cast(array.ctypes.data, ctypes.POINTER(kind))

        self._batch = self._lib.llama_batch(
            n_tokens=0,
            token=pointer(self._tokens, ctypes.c_int32),
            embd=None,
            pos=pointer(self._positions, ctypes.c_int32),
            n_seq_id=pointer(self._counts, ctypes.c_int32),
            seq_id=pointer(self._sequence_pointers, ctypes.POINTER(ctypes.c_int32)),
            logits=pointer(self._wanted, ctypes.c_int8),
        )

    def clear(self) -> None:
        """Forget all sequences."""
        self._lib.llama_memory_clear(self._memory, True)

    def forget(self, sequence: int) -> None:
        """Forget one sequence; what others share with it stays."""
        self._lib.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def cut(self, sequence: int, length: int) -> int:
        """Forget all but the first ``length`` tokens of a sequence; says how many it kept.

        A recurrent model keeps none: its state cannot be taken back to an earlier one.
        """
        if length > 0 and self._lib.llama_memory_seq_rm(self._memory, sequence, length, -1):
            return length
        self.forget(sequence)
        return 0

    def share(self, source: int, target: int) -> None:
        """Make the empty sequence ``target`` begin as ``source`` is now."""
        self._lib.llama_memory_seq_cp(self._memory, source, target, -1, -1)

    def step(
        self,
        sequences: Sequence[int],
        tokens: Sequence[int],
        positions: Sequence[int],
        prompt: tuple[int, Sequence[int], int] | None = None,
    ) -> Logits:
        """Append one token to each of ``sequences``, and a part of a prompt to another one.

        Args:
            sequences: to append to, each once.
            tokens: what is appended, one for each of them.
            positions: where each token stands in its sequence, from 0.
            prompt: sequence, tokens and the position of the first of them.

        Returns:
            Logits of shape (len(sequences), vocabulary), in llama.cpp's memory: valid until the
            next step. The tokens of the prompt have none.
        """
        count = len(sequences)
        self._tokens[:count] = tokens
        self._positions[:count] = positions
        self._sequences[:count] = sequences
        self._wanted[:count] = 1
        total = count
        if prompt is not None:
            sequence, part, start = prompt
            total += len(part)
            self._tokens[count:total] = part
            self._positions[count:total] = np.arange(start, start + len(part))
            self._sequences[count:total] = sequence
            self._wanted[count:total] = 0
        self._batch.n_tokens = total
        status = self._lib.llama_decode(self.handle, self._batch)
        if status != 0:
            if status == ALLOCATION_FAILED:
                raise MemoryShortage(f"{self._model.path}: no memory for a pass. {_LOWER}")
            reason = "its cache is full" if status == 1 else f"llama.cpp error {status}"
            raise ModelError(f"{self._model.path}: decoding failed ({reason}). {_LOWER}")
        return self._logits(count)  # waits for a GPU, too

    def _logits(self, count: int) -> Logits:
        pointer = self._lib.llama_get_logits(self.handle)
        if count == 0:
            return np.empty((0, self._model.vocab_size), dtype=np.float32)
        address = ctypes.addressof(pointer.contents)
        rows = self._rows.get((address, count))
        if rows is None:
            size = count * self._model.vocab_size
            buffer = (ctypes.c_float * size).from_address(address)
            rows = np.ctypeslib.as_array(buffer).reshape(count, -1)
            if len(self._rows) > 1024:
                self._rows.clear()
            self._rows[address, count] = rows
        return rows

    def close(self) -> None:
        """Free the context."""
        if self.handle:
            self._lib.llama_free(self.handle)
            self.handle = None
