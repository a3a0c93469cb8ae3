"""A PEFT LoRA adapter folder: what it changes and by how much.

The update of a weight matrix W is ``scaling * B @ A`` with scaling = alpha / r, or alpha / sqrt(r)
for rank-stabilised LoRA (Hu et al., arXiv 2106.09685; Kalajdzievski, arXiv 2312.03732). Everything
in which PEFT can go beyond that is refused and not quietly left out.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from math import isfinite, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localdistill.errors import ModelError
from localdistill.quantization.hf_folder import HfFolder, read_json
from localdistill.quantization.safetensors_file import (
    StoredTensor,
    decode,
    read_bytes,
    read_header,
)

FILES = ("adapter_config.json", "adapter_model.safetensors")
_KEY = re.compile(r"base_model\.model\.(.+)\.lora_([AB])(?:\.default)?\.weight")
# Settings under which the weights are not W + scaling * B @ A with one scaling for all.
_MUST_BE_UNSET = (
    "use_dora", "use_qalora", "fan_in_fan_out", "lora_bias", "modules_to_save", "rank_pattern",
    "alpha_pattern", "layer_replication", "trainable_token_indices", "target_parameters",
    "megatron_config", "arrow_config", "alora_invocation_tokens",
)  # fmt: skip
# Others (pissa, olora, loftq, corda ...) change the base weights too.
_KNOWN_STARTS = (None, True, False, "gaussian", "orthogonal", "eva")


@dataclass(frozen=True)
class LoraPair:
    """The two factors of one matrix's update."""

    a: StoredTensor  # (r, columns)
    b: StoredTensor  # (rows, r)

    def factors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A and B as float32."""
        a, b = (decode(read_bytes(part), part.dtype) for part in (self.a, self.b))
        return a.reshape(self.a.shape), b.reshape(self.b.shape)


@dataclass(frozen=True)
class Adapter:
    """A checked adapter: the update of each tensor that it changes, by Hugging Face name."""

    path: Path
    scaling: float
    pairs: dict[str, LoraPair]


def adapter_digest(path: Path) -> str:
    """SHA-256 over the two files of the adapter folder ``path``, in hexadecimal.

    Raises:
        OSError: one of them is missing.
    """
    digest = hashlib.sha256()
    for name in FILES:
        digest.update((path / name).read_bytes())
    return digest.hexdigest()


def read_adapter(path: Path, master: HfFolder) -> Adapter:
    """Read the adapter folder ``path`` and check it against the weights that it is for.

    Raises:
        ModelError: it is missing or damaged, uses what is not supported, or was made for another
            model.
    """
    config = read_json(path / "adapter_config.json")
    scaling = _scaling(path, config)
    weights = path / "adapter_model.safetensors"
    if not weights.is_file() and any(path.glob("*.bin")):
        raise ModelError(
            f"{path}: the adapter is a *.bin, which is never loaded. Convert to safetensors: "
            "model.save_pretrained(folder, safe_serialization=True)."
        )
    halves: dict[str, dict[str, StoredTensor]] = {}
    for name, tensor in read_header(weights).items():
        match = _KEY.fullmatch(name)
        if match is None:
            raise ModelError(f"{weights}: {name!r} is not a LoRA factor. Train a plain LoRA.")
        halves.setdefault(match[1] + ".weight", {})[match[2]] = tensor
    if not halves:
        raise ModelError(f"{weights}: holds no tensors. Train the adapter again.")
    rank = int(config["r"])
    return Adapter(
        path,
        scaling,
        {name: _pair(path, name, half, rank, master) for name, half in halves.items()},
    )


def _scaling(path: Path, config: dict[str, Any]) -> float:
    if config.get("peft_type") != "LORA":
        raise ModelError(f"{path}: a {config.get('peft_type')} adapter. Only LoRA is supported.")
    used = [key for key in _MUST_BE_UNSET if config.get(key)]
    if config.get("bias", "none") != "none":
        used.append("bias")
    if config.get("init_lora_weights") not in _KNOWN_STARTS:
        used.append("init_lora_weights")
    if used:
        raise ModelError(f"{path}: uses {', '.join(used)}. Train a plain LoRA without.")
    try:
        rank, alpha = int(config["r"]), float(config["lora_alpha"])
        if rank < 1 or not isfinite(alpha):
            raise ValueError
        return alpha / sqrt(rank) if config.get("use_rslora") else alpha / rank
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ModelError(f"{path}: adapter_config.json has no usable r, lora_alpha.") from None


def _pair(
    path: Path, name: str, half: dict[str, StoredTensor], rank: int, master: HfFolder
) -> LoraPair:
    if set(half) != {"A", "B"}:
        raise ModelError(f"{path}: one of the two factors for {name!r} is missing. Train again.")
    base = master.tensors.get(name)
    if base is None:
        if name == "lm_head.weight":
            raise ModelError(
                f"{path}: changes lm_head, which in {master.path} is the embedding matrix itself. "
                "Train without lm_head among the target modules."
            )
        raise ModelError(
            f"{path}: changes {name!r}, which {master.path} does not have. "
            "Give the model that the adapter was trained on."
        )
    pair = (half["B"].shape, half["A"].shape)
    if len(base.shape) != 2 or pair != ((base.shape[0], rank), (rank, base.shape[1])):
        raise ModelError(
            f"{path}: factors {half['B'].shape} x {half['A'].shape} do not fit {name!r} of shape "
            f"{base.shape} at rank {rank}. Give the model that the adapter was trained on."
        )
    return LoraPair(half["A"], half["B"])
