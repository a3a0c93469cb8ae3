"""Reading the header of a GGUF file, with every length checked against the size of the file.

A GGUF file is: magic, version, number of tensors, number of metadata entries, the entries, one info
for each tensor (name, shape, type, offset), padding, then the tensors' data. Source of the format:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Its byte ranges are kept, because an
exported file takes over the metadata of the file that it started from byte for byte.
"""

from __future__ import annotations

import errno
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from localdistill import memory
from localdistill.errors import MemoryShortage, ModelError
from localdistill.quantization.ggml_types import tensor_bytes

MAGIC = b"GGUF"
DEFAULT_ALIGNMENT = 32
# Far above what models have, and far below what would fill the memory of who reads it.
_MOST_HEADER_BYTES = 1 << 28  # metadata and tensor infos; tokenizers take up to some 20 MB
_MOST_ITEMS = 1 << 23  # of all metadata arrays together; a large vocabulary has 2**18 tokens
_MOST_ENTRIES, _MOST_TENSORS = 1 << 16, 1 << 16
_LONGEST_NAME = 63  # bytes of a tensor's name, for which llama.cpp has room (GGML_MAX_NAME)
# Number of the value's type in the file -> format for struct.
_SCALARS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i",
    6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
_STRING, _ARRAY = 8, 9


@dataclass(frozen=True)
class Entry:
    """One metadata entry: its value and where its bytes (key, type and value) stand."""

    value: Any
    start: int
    end: int


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of a GGUF file."""

    name: str
    dims: tuple[int, ...]  # as in the file: the length of a row first
    type: int  # ggml_type
    offset: int  # bytes from the start of the file
    size: int  # bytes

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape as torch and numpy give it: rows first."""
        return tuple(reversed(self.dims))


@dataclass(frozen=True)
class GgufFile:
    """The header of a GGUF file. ``read_header`` makes it."""

    path: Path
    size: int  # bytes
    entries: dict[str, Entry]
    tensors: dict[str, TensorInfo]  # in the order of the file
    kv_start: int
    kv_end: int
    data_start: int
    alignment: int

    def get(self, key: str, default: Any = None) -> Any:
        """The value of metadata ``key``."""
        entry = self.entries.get(key)
        return default if entry is None else entry.value

    def need(self, key: str) -> Any:
        """The value of metadata ``key``, which a usable file must have.

        Raises:
            ModelError: it is missing.
        """
        if key not in self.entries:
            raise ModelError(
                f"{self.path}: the metadata has no {key!r}. Take a GGUF file made by "
                "llama.cpp's convert_hf_to_gguf.py."
            )
        return self.entries[key].value

    @property
    def architecture(self) -> str:
        """``general.architecture``, as in ``qwen2``."""
        return str(self.need("general.architecture"))

    @cached_property
    def _bytes(self) -> np.memmap[Any, np.dtype[np.uint8]]:
        return np.memmap(self.path, dtype=np.uint8, mode="r")

    def raw(self, start: int, end: int) -> bytes:
        """Bytes ``start`` to ``end`` of the file."""
        return self._bytes[start:end].tobytes()

    def chunks(self, tensor: TensorInfo, limit: int = 1 << 24) -> Iterator[bytes]:
        """The bytes of one tensor, at most ``limit`` at a time."""
        # Plain reads and not the mapping: mapped pages would count as this process's memory.
        with self.path.open("rb") as file:
            file.seek(tensor.offset)
            left = tensor.size
            while left:
                block = file.read(min(limit, left))
                if not block:
                    raise _bad(self.path, f"tensor {tensor.name!r} ends before its size")
                left -= len(block)
                yield block


def read_header(path: Path) -> GgufFile:
    """Read and check the header of ``path``.

    Raises:
        ModelError: it is missing, truncated, not GGUF, or GGUF of an unsupported kind.
        MemoryShortage: this process may not map a file of its size.
    """
    if not path.is_file():
        what = "a folder" if path.is_dir() else "there is no such file"
        raise ModelError(f"{path}: {what}. Give the path of a GGUF file.")
    size = path.stat().st_size
    if size < 24:
        raise ModelError(f"{path}: only {size} bytes, not a GGUF file. Fetch the file again.")
    with path.open("rb") as file, _mapped(path, file, size) as data:
        try:
            return _Parser(path, data, size).parse()
        except (struct.error, UnicodeDecodeError) as error:
            raise _bad(path, "its header ends early or is damaged") from error


def _mapped(path: Path, file: BinaryIO, size: int) -> mmap.mmap:
    try:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise
        text = f"{path}: needs at least {memory.size(size)} of memory, and this process may not"
        raise MemoryShortage(f"{text} have so much (ulimit -v). Raise that limit.") from error


def _bad(path: Path, what: str) -> ModelError:
    return ModelError(f"{path}: {what}. The file is truncated or damaged: fetch or make it again.")


class _Parser:
    """A position in the file that no length in it can push past its end."""

    def __init__(self, path: Path, data: mmap.mmap, size: int) -> None:
        self.path, self.data, self.size, self.at = path, data, size, 0
        self.items = 0  # of metadata arrays so far

    def parse(self) -> GgufFile:
        if self.take(4) != MAGIC:
            raise ModelError(
                f"{self.path}: not a GGUF file (it does not begin with 'GGUF'). "
                "Give a GGUF file or a Hugging Face folder."
            )
        self.check_version(self.scalar("<I"))
        tensor_count, entry_count = self.scalar("<Q"), self.scalar("<Q")
        if tensor_count > _MOST_TENSORS or entry_count > _MOST_ENTRIES:
            raise _bad(self.path, f"it promises {tensor_count} tensors, {entry_count} metadata")
        kv_start = self.at
        entries = self.entries(self.count(entry_count, 13))
        kv_end = self.at
        given = entries.get("general.alignment")
        alignment = DEFAULT_ALIGNMENT if given is None else given.value
        if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
            raise _bad(self.path, f"alignment {alignment!r} is not a power of two")
        if entries.get("split.count", Entry(1, 0, 0)).value not in (0, 1):
            raise ModelError(
                f"{self.path}: one part of a split model. Join the parts first: "
                "llama-gguf-split --merge FIRST_PART.gguf WHOLE.gguf"
            )
        kind = entries.get("general.type", Entry("model", 0, 0)).value
        if kind != "model":  # adapter, imatrix, mmproj
            raise ModelError(f"{self.path}: holds a GGUF {kind}, no model. Give the model's file.")
        if tensor_count == 0:
            raise ModelError(
                f"{self.path}: holds no weights, only metadata (a vocabulary?). "
                "Give the model's own GGUF file."
            )
        infos = [self.info() for _ in range(self.count(tensor_count, 25))]
        data_start = -(-self.at // alignment) * alignment
        tensors = {}
        for name, dims, kind, offset in infos:
            if name in tensors:
                raise _bad(self.path, f"tensor {name!r} stands in it twice")
            tensors[name] = self.place(name, dims, kind, offset, data_start, alignment)
        _check_apart(self.path, tensors)
        return GgufFile(
            self.path, self.size, entries, tensors, kv_start, kv_end, data_start, alignment
        )

    def check_version(self, version: int) -> None:
        if version & 0xFFFF == 0:
            raise ModelError(f"{self.path}: a big-endian GGUF file. Convert the model again here.")
        if version not in (2, 3):
            raise ModelError(
                f"{self.path}: GGUF version {version}; versions 2 and 3 are supported. "
                "Convert the model again with a current llama.cpp."
            )

    def take(self, length: int) -> bytes:
        end = self.at + length
        if end > min(self.size, _MOST_HEADER_BYTES):
            raise _bad(self.path, f"its header wants {length} bytes at {self.at}, past its end")
        block = self.data[self.at : end]
        self.at = end
        return block

    def scalar(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def count(self, number: int, least: int) -> int:
        """``number`` items of at ``least`` so many bytes must fit into the rest of the file."""
        if number * least > min(self.size, _MOST_HEADER_BYTES) - self.at:
            raise _bad(self.path, f"its header promises {number} items, more than it can hold")
        return number

    def string(self) -> str:
        return self.take(self.scalar("<Q")).decode("utf-8")

    def entries(self, number: int) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for _ in range(number):
            start = self.at
            key = self.string()
            if key in found:
                raise _bad(self.path, f"metadata {key!r} stands in it twice")
            found[key] = Entry(self.value(self.scalar("<I")), start, self.at)
        return found

    def value(self, kind: int) -> Any:
        if kind in _SCALARS:
            return self.scalar(_SCALARS[kind])
        if kind == _STRING:
            return self.string()
        if kind != _ARRAY:
            raise _bad(self.path, f"a metadata value has unknown type {kind}")
        item, number = self.scalar("<I"), self.scalar("<Q")
        self.items += number
        if self.items > _MOST_ITEMS:
            raise _bad(self.path, f"its metadata promise {self.items} items")
        if item == _STRING:
            return [self.string() for _ in range(self.count(number, 8))]
        if item not in _SCALARS:  # arrays of arrays are in the format, but nobody writes them
            raise _bad(self.path, f"a metadata array has unsupported item type {item}")
        width = struct.calcsize(_SCALARS[item])
        block = self.take(self.count(number, width) * width)
        return np.frombuffer(block, dtype=np.dtype(_SCALARS[item])).tolist()

    def info(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self.string()
        if len(name.encode()) > _LONGEST_NAME:
            raise _bad(self.path, f"the name of a tensor has {len(name)} characters")
        rank = self.scalar("<I")
        if not 1 <= rank <= 4:
            raise _bad(self.path, f"tensor {name!r} has {rank} dimensions")
        dims = tuple(self.scalar("<Q") for _ in range(rank))
        return name, dims, self.scalar("<I"), self.scalar("<Q")

    def place(
        self, name: str, dims: tuple[int, ...], kind: int, offset: int, start: int, alignment: int
    ) -> TensorInfo:
        """Where a tensor's data stand, checked to lie inside the file."""
        size = tensor_bytes(f"{self.path}: tensor {name!r}", dims, kind)
        if offset % alignment or start + offset + size > self.size:
            raise _bad(self.path, f"the data of tensor {name!r} do not lie inside the file")
        return TensorInfo(name, dims, kind, start + offset, size)


def _check_apart(path: Path, tensors: dict[str, TensorInfo]) -> None:
    """Refuse tensors that share bytes: a change of one would change the other."""
    end, before = 0, ""
    for tensor in sorted(tensors.values(), key=lambda tensor: tensor.offset):
        if tensor.offset < end:
            raise _bad(path, f"the data of tensors {before!r} and {tensor.name!r} overlap")
        end, before = tensor.offset + tensor.size, tensor.name
