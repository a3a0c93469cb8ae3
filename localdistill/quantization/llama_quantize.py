"""A call of ``llama_model_quantize``, llama.cpp's own quantiser, with a type for each tensor.

Source of its rules: src/llama-quant.cpp of the llama.cpp in llama-cpp-python's source archive.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localdistill import memory
from localdistill.errors import ExportRejected, MemoryShortage, ModelError
from localdistill.quantization.ggml import llama_library
from localdistill.quantization.importance import ImportanceArray

# Bytes of rows that it holds at once.
_BUFFER = 64 << 20
_FULL = 1 << 20  # bytes free, below which a disk counts as full
# What can be asked for by name: what comes out well without an importance matrix ...
FILE_TYPES = (
    "F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q5_1", "Q5_0", "Q4_K_M", "Q4_K_S",
    "Q4_1", "Q4_0", "IQ4_NL", "IQ4_XS", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K",
)  # fmt: skip
# ... and what is made with one only.
IMPORTANCE_TYPES = ("IQ3_M", "IQ3_S", "IQ3_XS", "IQ3_XXS", "Q2_K_S", "IQ2_M", "IQ2_S", "IQ2_XS")
# Bits a weight of the smallest type that a file of such a type has among its matrices.
_LEAST_BITS = (
    ("F16", 16.0), ("BF16", 16.0), ("Q8", 8.5), ("Q6", 6.5625), ("Q5", 5.5), ("Q4", 4.5),
    ("IQ4_NL", 4.5), ("IQ4_XS", 4.25), ("Q3", 3.4375), ("Q2", 2.625), ("IQ", 2.0625),
)  # fmt: skip


def least_bits(name: str) -> float:
    """Bits a weight of a file of the type called ``name``, of those that can be asked for.

    A lower bound.

    Raises:
        StopIteration: there is none of that name.
    """
    return next(bits for start, bits in _LEAST_BITS if name.startswith(start))


def file_type(name: str, with_importance: bool = False) -> int:
    """The llama_ftype called ``name``, as in ``Q4_K_M``.

    ``with_importance``: there are examples to take an importance matrix from.

    Raises:
        ModelError: there is none of that name that can be made.
    """
    known = FILE_TYPES + IMPORTANCE_TYPES * with_importance
    if name.upper() not in known:
        needs = name.upper() in IMPORTANCE_TYPES
        why = "needs an importance matrix: give --data" if needs else "is not one that can be made"
        raise ModelError(
            f"quantisation type {name!r} {why}. Choose same or one of: {', '.join(known)}."
        )
    return int(getattr(llama_library(), f"LLAMA_FTYPE_MOSTLY_{name.upper()}"))


def quantise_file(
    source: Path,
    out: Path,
    kind: int | None = None,
    types: Mapping[str, int] | None = None,
    importance: Mapping[str, NDArray[np.float32]] | None = None,
) -> None:
    """Quantise the GGUF ``source`` into ``out``: by the mixture ``kind``, or by a type each.

    ``kind`` is a llama_ftype, whose rules then choose the type of each tensor; ``types`` gives a
    ggml_type by tensor name, and all must be named. Exactly one of the two is given. A tensor that
    already has its type is copied. ``importance`` are the means of squared inputs of its columns,
    for as many tensors as there are.

    Raises:
        ExportRejected: llama.cpp gave up; the message is its own.
        MemoryShortage: there was too little memory.
        OSError: the disk is full.
    """
    llama = llama_library()
    params = llama.llama_model_quantize_default_params()
    params.allow_requantize = True
    params.max_buf_size = _BUFFER
    # With any quantised file type the overrides decide; they are regular expressions.
    params.ftype = llama.LLAMA_FTYPE_MOSTLY_Q8_0 if kind is None else kind
    overrides = [(f"^{re.escape(name)}$", type_) for name, type_ in (types or {}).items()]
    table = (llama.llama_model_tensor_override * (len(overrides) + 1))()
    for row, (pattern, type_) in zip(table, overrides, strict=False):
        row.pattern, row.type = pattern.encode(), type_
    if overrides:  # a row without a pattern ends the table
        params.tt_overrides = ctypes.cast(table, ctypes.POINTER(llama.llama_model_tensor_override))
    rows = ImportanceArray(llama, importance or {})
    if importance:
        params.imatrix = rows.pointer
    with captured_log(llama) as lines:
        code = llama.llama_model_quantize(
            str(source).encode(), str(out).encode(), ctypes.byref(params)
        )
    if code != 0:
        if shutil.disk_usage(out.parent).free < _FULL:  # its own message does not say it
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(out))
        if memory.is_short("".join(lines)):
            raise MemoryShortage(
                f"{source.name}: no memory to quantise it. Close other programs; the same command "
                "goes on from here."
            )
        last = next((line for line in reversed(lines) if line.strip(" =\n")), "no message")
        raise ExportRejected(f"llama.cpp could not quantise {source.name}: {last.strip()}")


@contextmanager
def captured_log(llama: Any) -> Iterator[list[str]]:
    """Collect what llama.cpp says, which it would otherwise print, line by line."""
    before, its_data = llama.llama_log_callback(), ctypes.c_void_p()
    llama.llama_log_get(ctypes.byref(before), ctypes.byref(its_data))
    lines: list[str] = []

    def keep(level: int, text: bytes, data: object) -> None:
        lines.append(text.decode("utf-8", errors="replace"))

    callback = llama.llama_log_callback(keep)
    llama.llama_log_set(callback, ctypes.c_void_p(0))
    try:
        yield lines
    finally:
        llama.llama_log_set(before, its_data)
