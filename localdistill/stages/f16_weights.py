"""A quantised model computed with in 16 bits, where that is faster.

llama.cpp's products of many tokens with a quantised matrix round the tokens' values to 8 bits and
multiply integers. With most types a build for AVX2 and nothing beyond it is faster with floats
(docs/performance.md). So the weights can be unpacked once, when a file is opened. A quantised
weight is a product of a 16-bit scale (or two) and a small integer; rounded to 16 bits it is off by
1/2048 of itself at most (below 2**-14, by 2**-25). The integer arithmetic that is left out rounds
each of the tokens' values by up to 1/254 of the largest in a block. llama.cpp's CUDA backend does
the same with large batches.

The copy is in memory (memfd_create(2)), so that nothing of it is left whatever ends the process.
"""

from __future__ import annotations

import ctypes
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import prod
from pathlib import Path

from localdistill.backends.instructions import floats_are_faster
from localdistill.backends.llama_memory import ModelShape
from localdistill.backends.llama_model import bindings, cause, forget_causes
from localdistill.errors import ModelError
from localdistill.quantization.ggml_types import BF16, F32, block_size
from localdistill.quantization.gguf_file import DEFAULT_ALIGNMENT, GgufFile
from localdistill.sampling import Weights
from localdistill.stages.model_shape import shape_of

_WIDE = (F32, BF16)
# ggml types that take 1.3 times as long as F16 or longer, 16 sequences at once: Q4_1, Q5_0, Q8_0,
# Q3_K, Q6_K, IQ4_XS (benchmarks/weight_types.py). Q4_0 and Q4_K, which llama.cpp rearranges for
# such processors, Q2_K and Q5_K have less to gain, or nothing; others were not measured.
_SLOW = frozenset({3, 6, 8, 11, 14, 23})
_BUFFER = 64 << 20  # bytes of rows that llama.cpp holds at once


def f16_shape(gguf: GgufFile, weights: Weights) -> ModelShape | None:
    """What memory depends on with unpacked weights; None where they stay as they are.

    That is where ``weights`` says so or, left to choose, where little would be gained. And of files
    that hold nothing quantised, or wider floats besides (they need not fit into 16 bits); whose
    tensors are aligned in another way than llama.cpp writes them; and mixtures of experts, whose
    products were not measured.

    Raises:
        ModelError: see ``shape_of``.
    """
    if weights == "stored" or gguf.alignment != DEFAULT_ALIGNMENT:
        return None
    if weights == "auto" and not (_mostly_slow(gguf) and floats_are_faster()):
        return None
    shape = shape_of(gguf)
    matrices = [tensor for tensor in gguf.tensors.values() if len(tensor.dims) > 1]
    quantised = [tensor for tensor in matrices if block_size(tensor.type)[0] > 1]
    if shape.experts or not quantised or any(each.type in _WIDE for each in matrices):
        return None
    sizes = {name: tensor.size for name, tensor in gguf.tensors.items()}
    sizes |= {tensor.name: 2 * prod(tensor.dims) for tensor in quantised}
    inputs = sizes.get("token_embd.weight", 0)
    return replace(
        shape,
        weights=sum(sizes.values()),
        repacked=0,
        halves=True,
        output=sizes.get("output.weight", inputs),
        inputs=inputs,
    )


def _mostly_slow(gguf: GgufFile) -> bool:
    """Whether most of the arithmetic is with types for which floats are clearly faster."""
    values = Counter[bool]()
    for tensor in gguf.tensors.values():
        if len(tensor.dims) > 1:
            values[tensor.type in _SLOW] += prod(tensor.dims)
    return values[True] > values[False]


@contextmanager
def f16_copy(path: Path, threads: int) -> Iterator[Path]:
    """Where the model at ``path`` can be opened with its weights in 16 bits, for as long as needed.

    Once it has been opened (mapped) the copy lives as long as the model.

    Raises:
        ModelError: llama.cpp could not unpack it; the message is its own.
    """
    lib = bindings()
    forget_causes()
    handle = os.memfd_create("weights in f16")
    try:
        there = Path(f"/proc/self/fd/{handle}")
        params = lib.llama_model_quantize_default_params()
        params.allow_requantize = True
        params.ftype = lib.LLAMA_FTYPE_MOSTLY_F16
        params.max_buf_size = _BUFFER
        params.nthread = threads
        code = lib.llama_model_quantize(
            str(path).encode(), str(there).encode(), ctypes.byref(params)
        )
        if code != 0:
            raise ModelError(f"{path}: its weights cannot be unpacked to 16 bits{cause()}")
        yield there
    finally:
        os.close(handle)
