"""Safetensors files read and written piece by piece, so that no more than a tensor is in memory.

The format is a length, a JSON header with each tensor's type, shape and byte range, then the data
(https://github.com/huggingface/safetensors#format). It is handled here and not by the library,
which writes a file from tensors that are all in memory, and maps the files that it reads.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localdistill.errors import ModelError
from localdistill.quantization import ggml, ggml_types

GGML_TYPES = {"F32": ggml_types.F32, "F16": ggml_types.F16, "BF16": ggml_types.BF16}
WIDTHS = {"F32": 4, "F16": 2, "BF16": 2}  # bytes; the types of weights that are supported
_LONGEST_HEADER = 100_000_000  # bytes, the library's own limit
_MOST_SIDES = 8  # of a tensor; models have two


@dataclass(frozen=True)
class StoredTensor:
    """Where one tensor stands."""

    name: str
    file: Path
    dtype: str  # a key of WIDTHS
    shape: tuple[int, ...]
    start: int  # bytes from the start of the file
    size: int  # bytes


def read_header(path: Path) -> dict[str, StoredTensor]:
    """The tensors of one file in the order of their data.

    Raises:
        ModelError: it is missing, damaged, or holds tensors that are not 16 or 32 bit floats.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > min(size - 8, _LONGEST_HEADER):
                raise ValueError("header longer than the file")
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        tensors = [_tensor(path, name, entry, 8 + length, size) for name, entry in header.items()]
        if any(t.start < 8 + length or t.start + t.size > size for t in tensors):
            raise ValueError("data outside the file")
    except (
        OSError, struct.error, ValueError, KeyError, TypeError, AttributeError,
        RecursionError, OverflowError,
    ) as error:  # fmt: skip
        raise ModelError(
            f"{path}: missing, truncated or not a safetensors file ({error}). Fetch it again."
        ) from error
    return {tensor.name: tensor for tensor in sorted(tensors, key=lambda t: t.start)}


def _tensor(path: Path, name: str, entry: Any, data_start: int, most: int) -> StoredTensor:
    """What the header's ``entry`` says; no side of a tensor is longer than ``most``, in a file."""
    dtype, shape = str(entry["dtype"]), tuple(int(side) for side in entry["shape"])
    if dtype not in WIDTHS:
        raise ModelError(
            f"{path}: tensor {name!r} is stored as {dtype}. "
            "Take the model in 16 bits: F16 or BF16 safetensors, not quantised."
        )
    start, end = (int(offset) for offset in entry["data_offsets"])
    # Sides may have thousands of digits: what they multiply to would take hours to find.
    if len(shape) > _MOST_SIDES or max(shape, default=1) > most:
        raise ValueError(f"tensor {name!r} is larger than the file")
    if min(shape, default=1) < 0 or end - start != prod(shape) * WIDTHS[dtype]:
        raise ValueError(f"tensor {name!r} does not fit its byte range")
    return StoredTensor(name, path, dtype, shape, data_start + start, end - start)


def write_header(path: Path, tensors: Iterable[tuple[str, str, tuple[int, ...]]]) -> None:
    """Begin ``path`` with a header for (name, dtype, shape); data are appended in that order."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}  # transformers asks for it
    offset = 0
    for name, dtype, shape in tensors:
        end = offset + prod(shape) * WIDTHS[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data begin at a multiple of 8
    path.write_bytes(struct.pack("<Q", len(text)) + text)


def write_types(path: Path, types: Mapping[str, str]) -> None:
    """Give tensors of the file ``path`` other types (name -> a key of WIDTHS) of the same width.

    Only the header is written, in the room that it has: no tensor is moved.

    Raises:
        ModelError: it has no room for that, as no header has that was written compactly.
    """
    with path.open("r+b") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        wanted = {name: dtype for name, dtype in types.items() if header[name]["dtype"] != dtype}
        if not wanted:
            return
        for name, dtype in wanted.items():
            if WIDTHS[dtype] != WIDTHS[header[name]["dtype"]]:
                raise AssertionError(f"{name}: {dtype} is of another width")
            header[name]["dtype"] = dtype
        # Names may be of any letters; escaped, they could be longer than they were.
        compact = json.dumps(header, separators=(",", ":"), ensure_ascii=False)
        text = compact.encode(errors="surrogatepass")  # as json reads it
        if len(text) > length:
            raise ModelError(f"{path}: its header has no room. Save the model anew.")
        file.seek(8)
        file.write(text.ljust(length))


def read_bytes(tensor: StoredTensor) -> bytes:
    """The bytes of one tensor."""
    with tensor.file.open("rb") as file:
        file.seek(tensor.start)
        return file.read(tensor.size)


def chunks(tensor: StoredTensor, limit: int = 1 << 24) -> Iterator[bytes]:
    """The bytes of one tensor, at most ``limit`` at a time."""
    with tensor.file.open("rb") as file:
        file.seek(tensor.start)
        left = tensor.size
        while left and (block := file.read(min(limit, left))):
            left -= len(block)
            yield block


def decode(block: bytes, dtype: str) -> NDArray[np.float32]:
    """The values of ``block``, flat, as float32 (exact for all three types)."""
    return ggml.to_float32(GGML_TYPES[dtype], block)


def encode(values: NDArray[np.float32], dtype: str) -> bytes:
    """``values`` rounded to the nearest of ``dtype``, ties to even; beyond its range, infinite."""
    return values.tobytes() if dtype == "F32" else ggml.to_16_bits(values, GGML_TYPES[dtype])
