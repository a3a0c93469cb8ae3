"""Stochastic rounding of an update onto the codes of the file that it was trained from.

Weights that were read from a quantised file stand on its grid. An update that is small beside the
grid's step (as those of one epoch are) would be rounded away whole, by any rounding to the nearest:
of updates of 0.5% of a weight's size Q4_K keeps a hundredth. So each code goes to the next one with
a probability of update / step: on average the file holds the update, its scales stay as they were,
and what is not changed keeps its bytes. The noise has a variance of |update| * step at most, less
than that of rounding to the nearest (step^2 / 12) wherever the update is below a twelfth of a step.
Updates so large that they survive the nearest are left to llama.cpp.

Weights that come from a folder of 16 bits stand anywhere between two steps: there rounding to the
nearest keeps updates on average by itself, and llama.cpp's own quantiser does it with less noise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import NDArray

from localdistill.quantization import ggml
from localdistill.quantization.codes import Codes, has_codes, highest, read_codes, with_codes
from localdistill.quantization.gguf_file import GgufFile, TensorInfo
from localdistill.quantization.hf_folder import HfFolder
from localdistill.quantization.safetensors_file import (
    GGML_TYPES,
    WIDTHS,
    StoredTensor,
    chunks,
    decode,
)

Values = NDArray[np.float32]
_SLAB = 1 << 20  # weights at a time: some 40 MiB of memory
_ANYWHERE = 0.2  # steps: the mean distance to the nearest code, which is 0.25 of any number


def is_on_grid(template: GgufFile, weights: HfFolder, changed: Collection[str]) -> bool:
    """Whether ``weights`` were read from a file that is quantised as ``template`` is.

    Looked at is a matrix that no training has ``changed`` (Hugging Face names), such as the
    embedding: it must be what the file's is in 16 bits, to the last one. Where there is none that
    is quantised, the answer is no.
    """
    for tensor in template.tensors.values():
        stored = weights.source_of(tensor.name)
        if stored is None or stored.name in changed or not has_codes(tensor.type):
            continue
        _, values = next(ggml.slabs(template, tensor, _SLAB))
        block = next(chunks(stored, limit=values.size * WIDTHS[stored.dtype]))
        return bool(block == ggml.to_16_bits(values, GGML_TYPES[stored.dtype]))
    return False


def would_be_lost(template: GgufFile, tensor: TensorInfo, stored: StoredTensor) -> bool:
    """Whether rounding to the nearest code would lose a good part of what was trained.

    Weights that went by about a step or more stand anywhere between two codes, a quarter of a step
    from the nearer one on average; then the nearest is the better choice. By the first piece of the
    tensor. That the template may be an earlier round's file changes nothing: its codes are whole.
    """
    _, _, update, step = next(_updates(template, tensor, stored))
    shares = _shares(update, step)
    return float(np.abs(shares - np.round(shares)).mean()) < _ANYWHERE


def rounded(template: GgufFile, tensor: TensorInfo, stored: StoredTensor) -> Iterator[bytes]:
    """The tensor's data for the weights ``stored``, in pieces: the template's with other codes.

    The draw depends on the tensor's name alone: the same weights give the same file.
    """
    chance = np.random.default_rng(list(hashlib.sha256(tensor.name.encode()).digest()))
    kind, top = tensor.type, highest(tensor.type)
    for data, old, update, step in _updates(template, tensor, stored):
        moves = _shares(update, step)
        moves += chance.random(moves.size, dtype=np.float32)
        np.floor(moves, out=moves)
        np.clip(moves, -top, top, out=moves)
        codes = np.clip(old + moves.astype(np.int16).reshape(old.shape), 0, top)
        yield with_codes(kind, data, codes)


def _updates(
    template: GgufFile, tensor: TensorInfo, stored: StoredTensor
) -> Iterator[tuple[bytes, Codes, Values, Values]]:
    """Pieces of the template's data: their bytes, codes, and each weight's update and step."""
    with stored.file.open("rb") as file:
        file.seek(stored.start)
        for data, old in ggml.slabs(template, tensor, _SLAB):
            # Held against what was read from the file: its own rounding to 16 bits is no update.
            read = decode(ggml.to_16_bits(old, GGML_TYPES[stored.dtype]), stored.dtype)
            update = decode(file.read(old.size * WIDTHS[stored.dtype]), stored.dtype) - read
            codes = read_codes(tensor.type, data)
            yield data, codes, update, _steps(tensor.type, codes, data)


def _steps(kind: int, codes: Codes, data: bytes) -> Values:
    """By how much each weight grows from one code to the next, as ggml itself computes weights."""
    middle = np.full_like(codes, highest(kind) // 2)
    low, high = (
        ggml.to_float32(kind, with_codes(kind, data, codes)) for codes in (middle, middle + 1)
    )
    return high - low


def _shares(update: Values, step: Values) -> Values:
    """Updates in steps; none where a block has no scale."""
    return np.divide(update, step, out=np.zeros_like(update), where=step != 0)
