"""Claim: weights in bfloat16 lose most of a small update, and in float16 next to nothing.

    python benchmarks/merge_rounding.py [--weights FOLDER] [--rounds N]

The matrices are normal ones of standard deviation 0.02 on bfloat16's grid, or with ``--weights``
those of a Hugging Face folder. Each round adds an update of its own of rank 16, of so many times
the weights' standard deviation, and rounds the sum to the type. *Kept* is the part of all updates
that the weights hold in the end: their change projected on the sum of the updates, 1 being all.

Prints one line of JSON: ``{"kept": {type: {ratio: {rounds: share}}}}``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.safetensors_file import decode, encode, read_bytes

RATIOS = (0.00025, 0.001, 0.0025, 0.005)
TYPES = ("BF16", "F16")
RANK = 16


def main() -> None:
    """Merge and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--weights", type=Path, help="a Hugging Face folder; else made-up ones")
    parser.add_argument("--rounds", type=int, default=4)
    args = parser.parse_args()
    matrices = _stored(args.weights) if args.weights else [_made_up(1024, 1024)]
    kept = {
        dtype: {str(ratio): _kept(matrices, ratio, dtype, args.rounds) for ratio in RATIOS}
        for dtype in TYPES
    }
    print(json.dumps({"kept": kept}))


def _made_up(rows: int, columns: int) -> np.ndarray:
    values = np.random.default_rng(0).standard_normal((rows, columns), dtype=np.float32)
    return _rounded(0.02 * values, "BF16")


def _stored(folder: Path) -> list[np.ndarray]:
    """The matrices of the linear layers, on bfloat16's grid if they are stored so."""
    return [
        decode(read_bytes(tensor), tensor.dtype).reshape(tensor.shape)
        for name, tensor in read_folder(folder).tensors.items()
        if name.endswith("_proj.weight")
    ]


def _rounded(values: np.ndarray, dtype: str) -> np.ndarray:
    return decode(encode(values.astype(np.float32), dtype), dtype).reshape(values.shape)


def _kept(matrices: list[np.ndarray], ratio: float, dtype: str, rounds: int) -> dict[int, float]:
    """Share kept after the first round and after the last."""
    rng = np.random.default_rng(1)
    found, wanted = {1: 0.0, rounds: 0.0}, {1: 0.0, rounds: 0.0}
    for before in matrices:
        weights, updates = before, np.zeros_like(before)
        for number in range(1, rounds + 1):
            b, a = (
                rng.standard_normal(shape, dtype=np.float32)
                for shape in ((before.shape[0], RANK), (RANK, before.shape[1]))
            )
            update = np.float32(ratio * before.std() / np.sqrt(RANK)) * (b @ a)
            weights, updates = _rounded(weights + update, dtype), updates + update
            if number in found:
                found[number] += float(np.vdot(weights - before, updates))
                wanted[number] += float(np.vdot(updates, updates))
    return {number: round(found[number] / wanted[number], 3) for number in found}


if __name__ == "__main__":
    main()
