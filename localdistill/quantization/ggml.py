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
from localdistill.quantization.gguf_file import GgufFile, TensorInfo

F32, F16, BF16 = 0, 1, 30  # ggml_type
# Values turned to float at a time: 64 MiB of float32.
SLAB = 1 << 24
# Types that llama.cpp writes only with an importance matrix (tensor_requires_imatrix in
# llama-quant.cpp): without one they come out as garbage.
NEED_IMATRIX = {"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS"}


def type_name(kind: int) -> str:
    """The name of a ggml_type, as in ``Q5_0``."""
    from gguf.constants import GGMLQuantizationType

    return str(GGMLQuantizationType(kind).name)


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

    return libggml


def _row_function(kind: int) -> Any:
    """``(const void * from, float * to, int64_t values)`` for one type."""
    name = type_name(kind)
    # In C: dequantize_row_q4_K, dequantize_row_q8_0, dequantize_row_iq4_nl.
    spelled = name.lower().replace("_k", "_K")
    plain = {F16: "ggml_fp16_to_fp32_row", BF16: "ggml_bf16_to_fp32_row"}
    try:
        function = getattr(_ggml(), plain.get(kind, f"dequantize_row_{spelled}"))
    except AttributeError:
        raise ModelError(
            f"tensors of type {name} cannot be read by this llama.cpp. "
            "Take the model in another type: Q4_K_M, Q6_K, Q8_0, F16."
        ) from None
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    function.restype = None
    return function


def to_float32(kind: int, block: bytes) -> NDArray[np.float32]:
    """The values of whole rows of type ``kind``, flat."""
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    if kind == F32:
        return np.frombuffer(block, dtype=np.float32)
    per_block, width = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    values = np.empty(len(block) // width * per_block, dtype=np.float32)
    source = np.frombuffer(block, dtype=np.uint8)
    _row_function(kind)(source.ctypes.data, values.ctypes.data, values.size)
    return values


def to_float16(values: NDArray[np.float32]) -> NDArray[np.float16]:
    """``values`` rounded to float16 by ggml, which is several times faster than numpy."""
    function = _ggml().ggml_fp32_to_fp16_row
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
    function.restype = None
    values = np.ascontiguousarray(values)
    halves = np.empty(values.shape, dtype=np.float16)
    function(values.ctypes.data, halves.ctypes.data, values.size)
    return halves


def float_slabs(gguf: GgufFile, tensor: TensorInfo) -> Iterator[NDArray[np.float32]]:
    """The values of one tensor as flat float32 pieces of whole rows, of ``SLAB`` values at most."""
    row_bytes = tensor.size // prod(tensor.dims[1:])
    rows = max(1, SLAB // tensor.dims[0])
    for block in gguf.chunks(tensor, limit=rows * row_bytes):
        yield to_float32(tensor.type, block)
