"""Writing GGUF files whose metadata are bytes taken over from another one."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from localdistill.quantization.ggml_types import tensor_bytes
from localdistill.quantization.gguf_file import DEFAULT_ALIGNMENT, GgufFile

_UINT32 = 4  # number of the type in the file
FILE_TYPE = "general.file_type"
QUANTIZATION_VERSION = "general.quantization_version"


@dataclass(frozen=True)
class NewTensor:
    """A tensor to write. ``blocks`` gives its bytes, once."""

    name: str
    dims: tuple[int, ...]  # the length of a row first
    type: int  # ggml_type
    blocks: Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class RawMetadata:
    """Metadata entries as they stand in a file."""

    count: int
    block: bytes
    alignment: int = DEFAULT_ALIGNMENT


def model_metadata_of(gguf: GgufFile) -> RawMetadata:
    """The metadata that describe the network, without the tokenizer: enough to quantise by."""
    kept = [
        entry
        for key, entry in gguf.entries.items()
        # llama_model_quantize pads by the default alignment whatever the file says.
        if not key.startswith("tokenizer.") and key != "general.alignment"
    ]
    return RawMetadata(len(kept), b"".join(gguf.raw(entry.start, entry.end) for entry in kept))


def metadata_with_type(gguf: GgufFile, file_type: int, version: int) -> RawMetadata:
    """All metadata of ``gguf`` with another ``general.file_type`` (a llama_ftype).

    ``version`` is put in as the version of the quantisation formats where the file names none.
    """
    fields = {FILE_TYPE: _uint32(FILE_TYPE, file_type)}
    if QUANTIZATION_VERSION not in gguf.entries:
        fields[QUANTIZATION_VERSION] = _uint32(QUANTIZATION_VERSION, version)
    blocks = [
        fields.pop(key) if key in fields else gguf.raw(entry.start, entry.end)
        for key, entry in gguf.entries.items()
    ]
    blocks += fields.values()
    return RawMetadata(len(blocks), b"".join(blocks), gguf.alignment)


def _uint32(key: str, value: int) -> bytes:
    return struct.pack("<Q", len(key)) + key.encode() + struct.pack("<II", _UINT32, value)


def write_gguf(path: Path, metadata: RawMetadata, tensors: Sequence[NewTensor]) -> None:
    """Write ``path`` (GGUF version 3), a block of one tensor at a time."""
    infos, offset, sizes = [], 0, []
    for tensor in tensors:
        name = tensor.name.encode()
        infos.append(struct.pack("<Q", len(name)) + name)
        infos.append(struct.pack("<I", len(tensor.dims)))
        infos.append(struct.pack(f"<{len(tensor.dims)}QIQ", *tensor.dims, tensor.type, offset))
        sizes.append(tensor_bytes(tensor.name, tensor.dims, tensor.type))
        offset += sizes[-1] + _padding(sizes[-1], metadata.alignment)
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), metadata.count)
    header += metadata.block + b"".join(infos)
    with path.open("wb") as file:
        file.write(header + bytes(_padding(len(header), metadata.alignment)))
        for tensor, size in zip(tensors, sizes, strict=True):
            written = sum(file.write(block) for block in tensor.blocks())
            if written != size:  # a mistake of ours, never to be shipped
                raise AssertionError(f"{tensor.name}: {written} bytes written, {size} promised")
            file.write(bytes(_padding(size, metadata.alignment)))


def _padding(length: int, alignment: int) -> int:
    return -length % alignment
