"""Small GGUF files and folders that say what they are."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import pytest

from localdistill.catalogue.load import read_catalogue
from localdistill.catalogue.places import Place


@pytest.fixture(scope="session")
def entries():
    return read_catalogue()


@pytest.fixture(scope="session")
def by_name(entries):
    return {entry.name: entry for entry in entries}


def write_gguf(path: Path, entry, name: str | None = None, **metadata) -> Path:
    """A GGUF file with the shape of ``entry`` and next to no weights.

    Its embedding is one byte a row too short to be real, but has as many rows: rows are what is
    looked at, and hundreds of megabytes of zeros would tell no more.
    """
    a = entry.architecture
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(path, a.type)
    if name is not None:
        writer.add_name(name)
    for key, value in metadata.items():
        writer.add_string(f"general.{key}", value)
    writer.add_block_count(metadata.get("layers", a.layers))
    writer.add_embedding_length(a.width)
    writer.add_head_count(a.heads)
    writer.add_head_count_kv(a.kv_heads)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_K_M)
    writer.add_tensor("token_embd.weight", np.zeros((a.vocabulary, 1), dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_folder(folder: Path, entry) -> Path:
    """A Hugging Face folder whose config.json has the shape of ``entry``."""
    a = entry.architecture
    folder.mkdir(parents=True)
    config = {
        "model_type": a.type,
        "num_hidden_layers": a.layers,
        "hidden_size": a.width,
        "intermediate_size": a.feed_forward,
        "num_attention_heads": a.heads,
        "num_key_value_heads": a.kv_heads,
        "head_dim": a.head_dim,
        "vocab_size": a.vocabulary,
        "tie_word_embeddings": a.tied,
        "max_position_embeddings": a.context,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def place(folder: Path, label: str = "here") -> Place:
    return Place(label, folder)
