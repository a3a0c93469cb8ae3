"""Which entry a model on the disk is: its shape must agree, and what it is called.

A name alone is never trusted. A shape alone does not tell: all fine-tunes of a model have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from localdistill.catalogue.entry import Architecture, Entry
from localdistill.errors import ModelError
from localdistill.quantization.gguf_file import GgufFile

# What converters and quantisers add to the name of a model that they did not change.
_ADDED = re.compile(r"(gguf|awq|hf|bf16|fp16|f16|[iq]+\d[_a-z0-9]*)$")


@dataclass(frozen=True)
class Shape:
    """What a file's header or a folder's configuration says of the size of its parts."""

    architecture: str
    layers: int
    width: int
    heads: int
    kv_heads: int
    vocabulary: int


def shape_of(a: Architecture) -> Shape:
    """The shape of a known architecture."""
    return Shape(a.type, a.layers, a.width, a.heads, a.kv_heads, a.vocabulary)


def gguf_shape(gguf: GgufFile) -> Shape:
    """The shape in a GGUF file's metadata.

    Raises:
        ModelError: something is missing, or not a number.
    """
    kind = gguf.architecture

    def number(key: str) -> int:
        value = gguf.need(f"{kind}.{key}")
        if not isinstance(value, int):
            raise ModelError(f"{gguf.path}: {kind}.{key} is no number. Fetch the file again.")
        return value

    embedding = gguf.tensors.get("token_embd.weight")
    if embedding is None:
        raise ModelError(f"{gguf.path}: has no token_embd.weight, so it is no language model.")
    heads = number("attention.head_count")
    has_groups = f"{kind}.attention.head_count_kv" in gguf.entries
    return Shape(
        architecture=kind,
        layers=number("block_count"),
        width=number("embedding_length"),
        heads=heads,
        kv_heads=number("attention.head_count_kv") if has_groups else heads,
        vocabulary=embedding.shape[0],
    )


def gguf_names(gguf: GgufFile) -> list[str]:
    """What a GGUF file calls itself: its whole name, and the one that its parts give."""
    keys = ("basename", "size_label", "finetune", "version")
    parts = [_text(gguf.get(f"general.{key}")) for key in keys]
    return [
        name for name in (_text(gguf.get("general.name")), " ".join(filter(None, parts))) if name
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def plain(name: str) -> str:
    """``Qwen2.5 Coder 0.5B Instruct AWQ`` and ``qwen2.5-coder-0.5b-instruct`` made alike."""
    words = [word for word in re.split(r"[\s/:-]+", name.lower()) if word]
    while len(words) > 1 and _ADDED.fullmatch(words[-1]):
        words.pop()
    return re.sub(r"[^a-z0-9]", "", "".join(words))


def identify(entries: Sequence[Entry], shape: Shape, names: Iterable[str]) -> Entry | None:
    """The entry of this shape that one of ``names`` names."""
    called = {plain(name) for name in names}
    for entry in entries:
        if shape_of(entry.architecture) == shape and called & _names_of(entry):
            return entry
    return None


def _names_of(entry: Entry) -> set[str]:
    names = [entry.name, entry.title, *entry.aliases]
    if entry.hub is not None:
        # The whole id counts too: it is what the hub's cache is laid out by.
        for hub_id in (entry.hub.weights, entry.hub.gguf):
            names += [hub_id, hub_id.split("/")[1]]
        # Apart from the others: "qwen2.5-coder:7b" is the instruct model there only.
        names += [f"ollama {name}" for name in entry.hub.ollama]
    return {plain(name) for name in names}
