"""Keeping the memory of a training on a CPU to what it uses.

Measured on the 0.5B model in float32, these two made the difference between 4.5 and 3.1 GB:

* glibc keeps what is freed in its heap, to give it out again. But PyTorch asks for aligned memory,
  for which glibc often does not find a freed piece of the same size again (glibc bug 30723). So
  each layer's weights, dequantised for a moment, took a new piece, until the heap was as large as
  the whole model in 32 bits. Pieces that the kernel maps apart are given back at once.
* A tensor that a model file has in the very type that is wanted is not copied, but stays a piece of
  the mapped file, and with one such vector the whole file stays mapped and resident.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
from typing import Any

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h of glibc
# Small tensors stay on the heap: to map and clear pages for each would take time.
APART = 4 * 2**20
_KEPT_FREE = 128 * 2**20  # at the end of the heap


def give_back_large() -> None:
    """Have large pieces of memory given back when they are freed, where the C library is glibc."""
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, APART)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_FREE)


def trim() -> None:
    """Give back what is free in the middle of the heap now, where the C library is glibc."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def leave_file(model: Any) -> None:
    """Copy the vectors of ``model`` on the CPU that may be pieces of a mapped file.

    They are some hundred kilobytes. Matrices are left where they are: to copy a large embedding
    would take as much as the file does.
    """
    for tensor in itertools.chain(model.parameters(), model.buffers()):
        if tensor.device.type == "cpu" and tensor.dim() == 1:
            tensor.data = tensor.data.clone()
    trim()
