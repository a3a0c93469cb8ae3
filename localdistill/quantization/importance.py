"""The importance of a matrix's columns: the mean of their squared inputs over a model's own texts.

llama.cpp's quantiser weighs the error of a weight by it, as the error of an output is the weight's
error times the input (the "imatrix" of tools/imatrix in llama.cpp, which takes the same means).
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localdistill.quantization.ggml_types import NEED_IMATRIX, type_name

Means = Mapping[str, NDArray[np.float32]]  # by GGUF name, shape (columns,)
# Types that come out nearer to the original with it (benchmarks/parity_bounds.py, whose table is in
# docs/parity.md), and those that are not made without.
_PROFIT = {"Q2_K", "Q4_K", "Q4_1", "IQ4_XS", "IQ4_NL", "Q5_0", "Q6_K", "IQ3_S", *NEED_IMATRIX}
# Linear layers of a decoder layer that have the same input -> what they are called in GGUF.
_SHARED_INPUT = {
    "self_attn.q_proj": ("attn_q", "attn_k", "attn_v"),
    "self_attn.o_proj": ("attn_output",),
    "mlp.gate_proj": ("ffn_gate", "ffn_up"),
    "mlp.down_proj": ("ffn_down",),
}


class Importance:
    """Sums of squared inputs, by GGUF name; the output matrix is left out, as llama.cpp does."""

    def __init__(self) -> None:
        self._sums: dict[str, Any] = {}
        self._tokens: dict[str, int] = {}
        self._hooks: list[Any] = []

    def watch(self, layer: Any, number: int) -> None:
        """Add what now goes through the decoder layer ``number``, until ``unwatch``."""
        for place, parts in _SHARED_INPUT.items():
            names = [f"blk.{number}.{part}.weight" for part in parts]

            def take(_module: Any, inputs: Any, names: list[str] = names) -> None:
                values = inputs[0].reshape(-1, inputs[0].shape[-1])
                total = values.square().sum(0).double()
                for name in names:
                    self._sums[name] = self._sums.get(name, 0) + total
                    self._tokens[name] = self._tokens.get(name, 0) + len(values)

            self._hooks.append(layer.get_submodule(place).register_forward_pre_hook(take))

    def unwatch(self) -> None:
        """Stop adding."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def means(self) -> Means:
        """The mean of squared inputs of each matrix."""
        return {
            name: (total / self._tokens[name]).float().numpy() for name, total in self._sums.items()
        }


class ImportanceArray:
    """``means`` as the array that ``llama_model_quantize`` takes; must outlive the call."""

    def __init__(self, llama: Any, means: Means) -> None:
        kind = llama.llama_model_imatrix_data
        self._kept = {name.encode(): np.ascontiguousarray(row) for name, row in means.items()}
        # A row without a name ends the array.
        self.table = (kind * (len(self._kept) + 1))()
        for row, (name, values) in zip(self.table, self._kept.items(), strict=False):
            row.name = name
            row.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
            row.size = values.size
        self.pointer = ctypes.cast(self.table, ctypes.POINTER(kind))


def type_profits(kind: int) -> bool:
    """Whether a tensor of ggml_type ``kind`` is quantised better with it."""
    return type_name(kind) in _PROFIT


def file_profits(quant: str) -> bool:
    """Whether a file of the type called ``quant`` (``Q4_K_M``) is."""
    return any(quant.upper().startswith(kind) for kind in _PROFIT) or quant.upper() in _MIXED


_MIXED = {"IQ2_M", "IQ3_M", "IQ3_XS"}  # mixtures of such types
