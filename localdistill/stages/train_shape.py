"""What the memory of training depends on, from a model's header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localdistill.errors import ModelError
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.gguf_import import check_importable, hf_config
from localdistill.quantization.hf_folder import has_weights, read_folder
from localdistill.quantization.start import find_gguf
from localdistill.trainers.shape import TrainShape

_LARGEST = 1 << 32  # layers, columns, tokens ...: no model has as many
_TRAINED_IN = {"BF16": 2, "F32": 4}  # a CPU computes in one of these: type of a tensor -> bytes


@dataclass(frozen=True)
class Trainable:
    """A model that can be trained; ``stored`` is the bytes of its master weights."""

    path: Path | str  # what it is called in a message
    shape: TrainShape
    stored: int
    # Of a value of the embedding, where that is of a type that is trained in: no copy is made then
    value_bytes: int | None = None


def trainable(model: Path) -> Trainable:
    """The shape of a Hugging Face folder, or of what a GGUF file will be made into.

    Raises:
        ModelError: it is missing, damaged, or of an unsupported kind.
    """
    gguf = find_gguf(model)
    if gguf is None or (model.is_dir() and has_weights(model)):
        folder = read_folder(model)
        stored = sum(tensor.size for tensor in folder.tensors.values())
        embedding = folder.tensors.get("model.embed_tokens.weight")
        width = _TRAINED_IN.get(embedding.dtype) if embedding is not None else None
        return Trainable(model, shape_of_config(folder.config, model), stored, width)
    header = read_header(gguf)
    check_importable(header)
    shape = shape_of_config(hf_config(header), gguf)
    return Trainable(gguf, shape, 2 * shape.parameters)


def shape_of_config(config: Mapping[str, Any], where: object) -> TrainShape:
    """The shape that a ``config.json`` of a dense Qwen2 or Qwen3 model describes.

    Raises:
        ModelError: something is missing, or makes no sense; ``where`` is named.
    """
    try:
        kind = config["model_type"]
        width, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
        shape = TrainShape(
            layers=int(config["num_hidden_layers"]),
            width=width,
            feed_forward=int(config["intermediate_size"]),
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            head_dim=int(config.get("head_dim") or width // heads),
            vocabulary=int(config["vocab_size"]),
            tied=bool(config.get("tie_word_embeddings", False)),
            biases=kind == "qwen2",
            head_norms=kind == "qwen3",
            context=int(config["max_position_embeddings"]),
        )
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError) as error:
        message = f"{where}: its configuration does not tell its shape ({error!r})."
        raise ModelError(f"{message} Fetch it again.") from error
    sizes = (shape.layers, shape.width, shape.feed_forward, shape.vocabulary, shape.head_dim)
    if min(sizes) < 1 or max(*sizes, shape.heads, shape.kv_heads, shape.context) > _LARGEST:
        raise ModelError(f"{where}: its configuration makes no sense. Fetch it again.")
    return shape
