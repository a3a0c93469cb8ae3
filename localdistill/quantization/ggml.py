"""The few functions of ggml itself that are called directly: types, and tensors as floats.

They come from the library that llama-cpp-python was built with, so that a value read here is the
value that llama.cpp computes with.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localdistill.errors import MissingDependency, ModelError
from localdistill.quantization.ggml_types import BF16, F16, F32, block_size, type_name
from localdistill.quantization.gguf_file import GgufFile, TensorInfo

_HALF = {F16: "fp16", BF16: "bf16"}  # as in the names of ggml's functions
# Values turned to float at a time: 64 MiB of float32.
SLAB = 1 << 24


def llama_library() -> Any:
    """The module ``llama_cpp``.

    Raises:
        MissingDependency: it is not installed.
    """
    try:
        import llama_cpp
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingDependency("llama-cpp-python is not usable. Run `make install`.") from error
    return llama_cpp


@cache
def _ggml() -> Any:
    llama_library()
    from llama_cpp._ggml import libggml

    if hasattr(libggml, "ggml_cpu_init"):  # tables for processors that lack the instructions
        libggml.ggml_cpu_init()
    return libggml


@cache
def _row_function(*spellings: str) -> Any:
    """The first there is of some ``(const void * from, void * to, int64_t values)``, or None."""
    for name in spellings:
        function = getattr(_ggml(), name, None)
        if function is not None:
            function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
            function.restype = None
            return function
    return None


def to_float32(kind: int, block: bytes) -> NDArray[np.float32]:
    """The values of whole rows of type ``kind``, flat.

    Raises:
        ModelError: this llama.cpp cannot read the type.
    """
    if kind == F32:
        return np.frombuffer(block, dtype=np.float32)
    name = type_name(kind)
    if kind in _HALF:
        function = _row_function(
            f"ggml_cpu_{_HALF[kind]}_to_fp32", f"ggml_{_HALF[kind]}_to_fp32_row"
        )
    else:  # in C: dequantize_row_q4_K, dequantize_row_q8_0, dequantize_row_iq4_nl
        function = _row_function("dequantize_row_" + name.lower().replace("_k", "_K"))
    if function is None:
        raise ModelError(
            f"tensors of type {name} cannot be read by this llama.cpp. "
            "Take the model in another type: Q4_K_M, Q6_K, Q8_0, F16."
        )
    per_block, width = block_size(kind)
    values = np.empty(len(block) // width * per_block, dtype=np.float32)
    source = np.frombuffer(block, dtype=np.uint8)
    function(source.ctypes.data, values.ctypes.data, values.size)
    return values


def to_16_bits(values: NDArray[np.float32], kind: int) -> bytes:
    """``values`` rounded to F16 or BF16, ties to even; beyond the range, infinite."""
    # ggml's own are ten times faster than numpy's; those of the CPU backend most of all.
    function = _row_function(f"ggml_cpu_fp32_to_{_HALF[kind]}", f"ggml_fp32_to_{_HALF[kind]}_row")
    values = np.ascontiguousarray(values)
    halves = np.empty(values.shape, dtype=np.uint16)
    function(values.ctypes.data, halves.ctypes.data, values.size)
    return halves.tobytes()


def slabs(
    gguf: GgufFile, tensor: TensorInfo, limit: int = SLAB
) -> Iterator[tuple[bytes, NDArray[np.float32]]]:
    """One tensor in pieces of whole rows, ``limit`` values at most: its bytes and flat values.

    Raises:
        ModelError: a value is not a finite number.
    """
    row_bytes = tensor.size // prod(tensor.dims[1:])
    rows = max(1, limit // tensor.dims[0])
    for block in gguf.chunks(tensor, limit=rows * row_bytes):
        values = to_float32(tensor.type, block)
        if not np.isfinite(largest(values)):
            raise ModelError(
                f"{gguf.path}: tensor {tensor.name!r} holds values that are not finite. "
                "The file is damaged: fetch or make it again."
            )
        yield block, values


def largest(values: NDArray[np.float32]) -> float:
    """The largest magnitude; NaN if any value is. Takes no memory, unlike numpy's abs."""
    return float(max(values.max(), -values.min()))
