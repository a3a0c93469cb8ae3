"""LoRA adapters as one GGUF file, for those who keep the base and load the adapter beside it.

llama.cpp adds ``alpha / rows of A * B @ A`` to each matrix, with one alpha for the file and the
rank of each tensor (src/llama-adapter.cpp and convert_lora_to_gguf.py of llama.cpp). Several
adapters that were trained one on the other become one, of the sum of their ranks: updates add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from localdistill.quantization import names
from localdistill.quantization.adapter import Adapter


def write_adapter_gguf(
    path: Path, architecture: str, adapters: Sequence[Adapter], name: str
) -> None:
    """Write ``adapters``, in the order in which they were trained, for a model of ``architecture``.

    Factors are in float32. What is left out of the file: roundings of the weights to 16 bits
    between the rounds, and that of the merged file.
    """
    import gguf

    first = adapters[0]
    rank = next(iter(first.pairs.values())).a.shape[0]
    alpha = first.scaling * rank or float(rank)  # llama.cpp takes 0 for none given
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_name(name)
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    changed = dict.fromkeys(target for adapter in adapters for target in adapter.pairs)
    for target in changed:
        a, b = _together(adapters, target, alpha)
        # numpy's order of dimensions is the reverse of GGUF's, where a row's length comes first.
        writer.add_tensor(f"{names.to_gguf(target)}.lora_a", a)
        writer.add_tensor(f"{names.to_gguf(target)}.lora_b", b)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _together(
    adapters: Sequence[Adapter], target: str, alpha: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A of shape (rank, columns) and B of shape (rows, rank): all updates of one matrix."""
    pairs = [
        (adapter.scaling, *adapter.pairs[target].factors())
        for adapter in adapters
        if target in adapter.pairs
    ]
    a = np.concatenate([factor for _, factor, _ in pairs], axis=0)
    scale = alpha / a.shape[0]  # what llama.cpp will multiply by
    b = np.concatenate(
        [factor * np.float32(scaling / scale) for scaling, _, factor in pairs], axis=1
    )
    return np.ascontiguousarray(a), np.ascontiguousarray(b)
