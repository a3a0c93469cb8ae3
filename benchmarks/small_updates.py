"""How much of a small update is in a file that is exported to the types that it was read from.

    python benchmarks/small_updates.py [--model FILE.gguf] [--types Q4_K_M,Q8_0]

Without --model the seed model is quantised to each type first. From that file alone, as a run does
it, weights are read; a random update of rank 16 is added to every linear layer of each block, of
0.1%, 0.5%, 1.5% and 5% of the layer's size (root mean square); and the file is made by stochastic
rounding and, for comparison, by llama.cpp's quantiser, which rounds to the nearest. For each:

    kept    projection of what moved in the file on the update: 1 is all of it
    noise   what moved beside that, as a share of the weights' own size
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from localdistill.quantization import ggml, names, quantise
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.gguf_import import dequantise
from localdistill.quantization.hf_folder import HfFolder, read_folder
from localdistill.quantization.merge import merge
from localdistill.quantization.safetensors_file import chunks, decode

SEED = Path(__file__).parents[1] / "models" / "seed"
TYPES = "Q4_0,Q4_K_M,Q5_K_M,Q6_K,Q8_0"
SIZES = (0.001, 0.005, 0.015, 0.05)
RANK = 16


def values(weights: HfFolder, name: str) -> np.ndarray:
    """One tensor of a folder, flat."""
    tensor = weights.tensors[name]
    return np.concatenate([decode(block, tensor.dtype) for block in chunks(tensor)])


def write_adapter(master: HfFolder, size: float, folder: Path) -> None:
    """A random one, of ``size`` of each linear layer's root mean square."""
    random, factors = np.random.default_rng(0), {}
    for name, tensor in master.tensors.items():
        if name.endswith("_proj.weight"):
            rows, columns = tensor.shape
            a = random.standard_normal((RANK, columns)).astype(np.float32)
            b = random.standard_normal((rows, RANK)).astype(np.float32)
            b *= size * np.sqrt(np.mean(values(master, name) ** 2) / RANK)
            stem = f"base_model.model.{name.removesuffix('.weight')}"
            factors |= {f"{stem}.lora_A.weight": a, f"{stem}.lora_B.weight": b}
    folder.mkdir()
    save_file(factors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": RANK, "lora_alpha": RANK, "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(config))


def measure(start: Path, folder: Path) -> Iterator[dict[str, object]]:
    """The figures for each size of update, of a model that is begun from file ``start``."""
    template = read_header(start)
    master = read_folder(dequantise(start, folder / "master"))
    for number, size in enumerate(SIZES):
        adapter, merged = folder / f"adapter-{number}", folder / f"merged-{number}"
        write_adapter(master, size, adapter)
        changed = merge(master.path, adapter, merged, {"number": number})
        weights = read_folder(merged)
        found: dict[str, object] = {"update": size}
        for way in ("by_chance", "nearest"):
            out = folder / f"{way}.gguf"
            on_grid = quantise.is_on_grid
            if way == "nearest":
                quantise.is_on_grid = lambda *arguments: False
            try:
                quantise.quantise(template, weights, changed, "same", out)
            finally:
                quantise.is_on_grid = on_grid
            found[way] = held(start, out, master, weights, changed)
        yield found


def held(
    start: Path, out: Path, master: HfFolder, weights: HfFolder, changed: frozenset[str]
) -> dict[str, float]:
    """What moved from file ``start`` to file ``out``, against the update of the weights."""
    old, new = read_header(start), read_header(out)
    along = wanted = beside = whole = 0.0
    for name in sorted(changed):
        before, after = (
            np.concatenate([v for _, v in ggml.slabs(gguf, gguf.tensors[names.to_gguf(name)])])
            for gguf in (old, new)
        )
        update = values(weights, name) - values(master, name)
        moved = after - before
        along, wanted = along + float(moved @ update), wanted + float(update @ update)
        beside += float(np.sum((moved - update) ** 2))
        whole += float(before @ before)
    return {"kept": round(along / wanted, 3), "noise": round((beside / whole) ** 0.5, 4)}


def main() -> None:
    """Print a line for each type and update."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, help="a GGUF file (else: the seed model)")
    parser.add_argument("--types", default=TYPES, help=f"of the seed model ({TYPES})")
    args = parser.parse_args()
    for kind in ["as it is"] if args.model else args.types.split(","):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            start = args.model or folder / "start.gguf"
            if args.model is None:
                seed = read_header(SEED / "seed-q8_0.gguf")
                quantise.quantise(seed, read_folder(SEED), [], kind, start)
            for found in measure(start, folder):
                print(json.dumps({"type": kind, **found}), flush=True)


if __name__ == "__main__":
    main()
