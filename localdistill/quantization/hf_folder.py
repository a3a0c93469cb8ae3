"""A model as a Hugging Face folder: its configuration and where each of its tensors stands.

Only safetensors are read. A ``*.bin`` file is a pickle, which can run any code when it is loaded.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localdistill.errors import ModelError
from localdistill.quantization import names
from localdistill.quantization.safetensors_file import StoredTensor, read_header

INDEX = "model.safetensors.index.json"
# A file in the folder itself, and not a pattern: the hub's client takes names for patterns.
_SHARD = re.compile(r"[^/*?\[\]]+\.safetensors")


@dataclass(frozen=True)
class HfFolder:
    """A model folder whose header was read and checked."""

    path: Path
    config: dict[str, Any]
    files: tuple[Path, ...]  # the safetensors files
    tensors: dict[str, StoredTensor]

    @property
    def architecture(self) -> str:
        """``model_type``, as in ``qwen2``."""
        return str(self.config.get("model_type"))

    def source_of(self, name: str) -> StoredTensor | None:
        """What the GGUF tensor ``name`` is made of; None where nothing here belongs to it.

        A file may hold the output matrix though the folder says that it is the embedding: it was
        made of a copy that had it twice. Both are then made of the embedding.

        Raises:
            ModelError: no dense Qwen2 or Qwen3 model has a tensor of this name.
        """
        own = self.tensors.get(names.to_hf(name))
        if own is None and name == names.OUTPUT and self.config.get("tie_word_embeddings"):
            return self.tensors.get(names.to_hf(names.EMBEDDING))
        return own


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``.

    Raises:
        ModelError: it is missing or something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: missing or not JSON. Fetch the folder again.") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path}: not a JSON object. Fetch the folder again.")
    return content


def has_weights(path: Path) -> bool:
    """Whether folder ``path`` looks like a model in Hugging Face's form."""
    return (path / "config.json").is_file() and any(path.glob("*.safetensors"))


def read_folder(path: Path) -> HfFolder:
    """Read the configuration and the tensors' places of folder ``path``.

    Raises:
        ModelError: something is missing, damaged, quantised, or of an unsupported architecture.
    """
    if path.is_file():
        message = f"{path}: a file. Give a Hugging Face folder with the model's 16-bit weights"
        raise ModelError(f"{message} (`localdistill run` takes a GGUF file as it is).")
    if not path.is_dir():
        raise ModelError(f"{path}: there is no such folder. Give a Hugging Face model folder.")
    config = read_json(path / "config.json")
    names.check_architecture(str(config.get("model_type")), path)
    if config.get("quantization_config"):
        raise ModelError(f"{path}: a quantised model. Take its original in 16 bits, or a GGUF.")
    files = _weight_files(path)
    tensors: dict[str, StoredTensor] = {}
    for file in files:
        tensors.update(read_header(file))
    return HfFolder(path, config, files, tensors)


def shard_names(path: Path) -> list[str]:
    """The files of weights that the index in folder ``path`` names.

    Raises:
        ModelError: it is damaged, or names something else than safetensors in that folder.
    """
    shards = read_json(path / INDEX).get("weight_map")
    found = {str(name) for name in shards.values()} if isinstance(shards, dict) else set()
    if not found or not all(_SHARD.fullmatch(name) for name in found):
        raise ModelError(f"{path / INDEX}: not an index of safetensors. Fetch it again.")
    return sorted(found)


def _weight_files(path: Path) -> tuple[Path, ...]:
    if (path / INDEX).is_file():
        return tuple(path / name for name in shard_names(path))
    if (path / "model.safetensors").is_file():
        return (path / "model.safetensors",)
    if any(path.glob("*.bin")):
        raise ModelError(
            f"{path}: holds its weights as *.bin, which is never loaded. Convert to safetensors "
            "(model.save_pretrained writes them) or fetch a folder that has them."
        )
    raise ModelError(f"{path}: has no model.safetensors. Fetch the folder again.")
