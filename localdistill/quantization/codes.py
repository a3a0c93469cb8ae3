"""Where the codes of quantised weights stand in ggml's blocks: read, and put back.

A block holds scales and, for each weight, a small whole number, its *code*; the weight grows (or,
with a negative scale, falls) by one and the same step from a code to the next. Layouts are those of
``block_q4_0`` and the others in ``ggml-common.h``. Types whose steps differ (IQ4_NL) are not here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from gguf.constants import GGMLQuantizationType as Type
from numpy.typing import NDArray

from localdistill.quantization.ggml_types import block_size

Codes = NDArray[np.int16]


@dataclass(frozen=True)
class _Field:
    """Some bits of every code of a block: groups of bytes, each looked at by several shifts.

    The weights go byte by byte under the first shift, then under the next one; then the next group.
    """

    at: int  # bytes from the block's beginning
    groups: int
    group: int  # bytes of each
    shifts: tuple[int, ...]
    bits: int
    place: int = 0  # of the lowest of these bits in the code


_NIBBLES, _PAIRS, _BITS = (0, 4), (0, 2, 4, 6), (0, 1, 2, 3, 4, 5, 6, 7)
_FIELDS: dict[int, tuple[_Field, ...]] = {
    Type.Q4_0: (_Field(2, 1, 16, _NIBBLES, 4),),
    Type.Q4_1: (_Field(4, 1, 16, _NIBBLES, 4),),
    Type.Q5_0: (_Field(6, 1, 16, _NIBBLES, 4), _Field(2, 4, 1, _BITS, 1, 4)),
    Type.Q5_1: (_Field(8, 1, 16, _NIBBLES, 4), _Field(4, 4, 1, _BITS, 1, 4)),
    Type.Q8_0: (_Field(2, 1, 32, (0,), 8),),
    Type.Q2_K: (_Field(16, 2, 32, _PAIRS, 2),),
    Type.Q3_K: (_Field(32, 2, 32, _PAIRS, 2), _Field(0, 1, 32, _BITS, 1, 2)),
    Type.Q4_K: (_Field(16, 4, 32, _NIBBLES, 4),),
    Type.Q5_K: (_Field(48, 4, 32, _NIBBLES, 4), _Field(16, 1, 32, _BITS, 1, 4)),
    Type.Q6_K: (_Field(0, 2, 64, _NIBBLES, 4), _Field(128, 2, 32, _PAIRS, 2, 4)),
}
# Signed as they are stored; here they are counted from 0, so that they are in the weights' order.
_SIGNED = {Type.Q8_0}


def has_codes(kind: int) -> bool:
    """Whether this module knows the layout of ggml_type ``kind``."""
    return kind in _FIELDS


def highest(kind: int) -> int:
    """The highest code; 0 is the lowest."""
    return int(2 ** sum(field.bits for field in _FIELDS[kind]) - 1)


def read_codes(kind: int, data: bytes) -> Codes:
    """The codes in ``data``, whole blocks of type ``kind``: (blocks, weights of a block)."""
    blocks = _blocks(kind, data)
    codes = np.zeros((len(blocks), block_size(kind)[0]), dtype=np.int16)
    for field in _FIELDS[kind]:
        stored = blocks[:, field.at : field.at + field.groups * field.group]
        stored = stored.reshape(-1, field.groups, 1, field.group)
        parts = (stored >> _shifts(field)) & np.uint8(2**field.bits - 1)
        codes |= parts.reshape(codes.shape).astype(np.int16) << field.place
    return codes ^ 0x80 if kind in _SIGNED else codes


def with_codes(kind: int, data: bytes, codes: Codes) -> bytes:
    """``data`` with other codes, shaped as ``read_codes`` gives them; the scales are kept."""
    blocks = _blocks(kind, data).copy()
    if kind in _SIGNED:
        codes = codes ^ 0x80
    for field in _FIELDS[kind]:
        parts = (codes >> field.place).astype(np.uint8) & np.uint8(2**field.bits - 1)
        shape = (-1, field.groups, len(field.shifts), field.group)
        stored = np.bitwise_or.reduce(parts.reshape(shape) << _shifts(field), axis=2)
        width = field.groups * field.group
        blocks[:, field.at : field.at + width] = stored.reshape(-1, width)
    return blocks.tobytes()


def _blocks(kind: int, data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, block_size(kind)[1])


def _shifts(field: _Field) -> NDArray[np.uint8]:
    return np.array(field.shifts, dtype=np.uint8).reshape(1, 1, -1, 1)
