"""Whether the 16-bit weights that export.py has measured the making of are right.

Distances are counted in representable numbers of the type between two values, so that 1 is one
rounding. What the arithmetic should give is computed in float64 from the adapter's factors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from localdistill.quantization import ggml_types, names
from localdistill.quantization.adapter import read_adapter
from localdistill.quantization.gguf_file import GgufFile, read_header
from localdistill.quantization.hf_folder import HfFolder, read_folder
from localdistill.quantization.quantise import quantise
from localdistill.quantization.safetensors_file import StoredTensor, decode, encode, read_bytes

_ROWS = 4096  # of a matrix at a time


def compare(work: dict[str, str]) -> dict[str, object]:
    """Our merged weights against the peer's F16 file and against float64.

    Our F16 file is made of the merged folder here, by the same code that makes any other type.
    """
    master, merged = read_folder(Path(work["master"])), read_folder(Path(work["ours"]) / "merged")
    adapter = read_adapter(Path(work["adapter"]), master)
    ours_path = Path(work["ours"]) / "f16.gguf"
    quantise(read_header(Path(work["template"])), merged, list(adapter.pairs), "F16", ours_path)
    ours, peer = read_header(ours_path), read_header(Path(work["peer"]) / "f16.gguf")
    unchanged = [
        name
        for name in ours.tensors
        if names.to_hf(name) not in adapter.pairs and name in peer.tensors
    ]
    differing = [name for name in unchanged if _data(ours, name) != _data(peer, name)]
    far = {"peer": 0, "float64": 0}
    rounded_otherwise = values = 0
    for name in adapter.pairs:
        for mine, theirs in _pairs(ours, peer, names.to_gguf(name)):
            far["peer"] = max(far["peer"], _steps(mine, theirs))
        for mine, exact in _exact(master, merged, name, adapter.scaling, work):
            far["float64"] = max(far["float64"], _steps(mine, exact))
            rounded_otherwise += int((mine != exact).sum())
            values += mine.size
    return {
        "unchanged_tensors": len(unchanged),
        "unchanged_that_differ": differing,
        "changed_tensors": len(adapter.pairs),
        "roundings_from_peer": far["peer"],
        "roundings_from_float64": far["float64"],
        "share_not_nearest": rounded_otherwise / max(1, values),
    }


def _data(gguf: GgufFile, name: str) -> tuple[int, bytes]:
    tensor = gguf.tensors[name]
    return tensor.type, b"".join(gguf.chunks(tensor))


def _pairs(ours: GgufFile, peer: GgufFile, name: str) -> Iterator[tuple[NDArray, NDArray]]:
    mine, theirs = ours.tensors[name], peer.tensors[name]
    if (mine.type, theirs.type) != (ggml_types.F16, ggml_types.F16):
        raise SystemExit(f"{name} is not F16 in both files")
    blocks = zip(ours.chunks(mine), peer.chunks(theirs), strict=True)
    for left, right in blocks:
        yield np.frombuffer(left, np.uint16), np.frombuffer(right, np.uint16)


def _exact(
    master: HfFolder, merged: HfFolder, name: str, scaling: float, work: dict[str, str]
) -> Iterator[tuple[NDArray, NDArray]]:
    """Our bits, and those of the float64 result rounded to the master's type."""
    stored = master.tensors[name]
    pair = read_adapter(Path(work["adapter"]), master).pairs[name]
    a, b = (factor.astype(np.float64) for factor in pair.factors())
    base, found = _values(stored), _bits(merged.tensors[name])
    for first in range(0, stored.shape[0], _ROWS):
        rows = slice(first, first + _ROWS)
        exact = base[rows].astype(np.float64) + scaling * (b[rows] @ a)
        # Through float32: rounding twice moves a value that lies on a border only.
        bits = encode(np.ascontiguousarray(exact, dtype=np.float32), stored.dtype)
        yield found[rows].ravel(), np.frombuffer(bits, np.uint16)


def _values(stored: StoredTensor) -> NDArray[np.float32]:
    return decode(read_bytes(stored), stored.dtype).reshape(stored.shape)


def _bits(stored: StoredTensor) -> NDArray[np.uint16]:
    return np.frombuffer(read_bytes(stored), np.uint16).reshape(stored.shape)


def _steps(left: NDArray[np.uint16], right: NDArray[np.uint16]) -> int:
    """The largest number of representable values between two arrays of 16-bit floats' bits."""

    def ordered(bits: NDArray[np.uint16]) -> NDArray[np.int32]:
        wide = bits.astype(np.int32)
        return np.where(wide & 0x8000, 0x8000 - wide, wide)

    return int(np.abs(ordered(left) - ordered(right)).max(initial=0))


if __name__ == "__main__":
    import sys

    print(json.dumps(compare(json.loads(sys.stdin.read()))))
