"""How much memory a model needs, from the numbers of its architecture.

All sizes are in bytes, and all are estimates: docs/models.md says what they are made of.
Each is a sum of named parts, so that it can be argued with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from localdistill.catalogue.entry import Architecture
from localdistill.config import TrainConfig
from localdistill.trainers.cpu import bytes_of_a_value
from localdistill.trainers.shape import TrainShape
from localdistill.trainers.train_memory import Place, TrainTask, need

# Samples decoded together, and tokens of one sample, prompt included. The cache is as large as that
# of the 16 slots that `run` takes by default, with 1,024 tokens each.
SLOTS = 8
CONTEXT_PER_SLOT = 2048

# Bits a weight. K-quants come in blocks of 256 values, others of 32 (ggml-common.h of llama.cpp).
_BITS = {"Q4_K": 4.5, "Q6_K": 6.5625, "Q5_0": 5.5, "Q8_0": 8.5, "F32": 32.0}
_K_BLOCK = 256
# What llama.cpp takes where a row is no multiple of 256 (tensor_type_fallback in llama-quant.cpp).
_FALLBACK = {"Q4_K": "Q5_0", "Q6_K": "Q8_0"}
_GGUF_METADATA = 6_000_000  # a vocabulary of 150,000 tokens with its merges; measured: 5.9 MB

_LLAMA_CPP = 150_000_000  # Python with llama.cpp loaded
_LLAMA_BATCH = 512  # tokens in one forward pass, at the most: on a GPU


@dataclass(frozen=True)
class Matrix:
    """``count`` equal matrices in one layer, or once in the model: ``rows`` of length ``row``."""

    name: str
    rows: int
    row: int
    count: int = 1

    @property
    def size(self) -> int:
        """Number of weights."""
        return self.rows * self.row * self.count


@dataclass(frozen=True)
class Estimate:
    """Bytes by what they are for."""

    parts: dict[str, int]

    @property
    def total(self) -> int:
        """Sum of the parts."""
        return sum(self.parts.values())


def layer_matrices(a: Architecture) -> list[Matrix]:
    """The matrices of one layer, under the names that llama.cpp gives them."""
    query, cache = a.heads * a.head_dim, a.kv_heads * a.head_dim
    attention = [
        Matrix("attn_q", query, a.width),
        Matrix("attn_k", cache, a.width),
        Matrix("attn_v", cache, a.width),
        Matrix("attn_output", a.width, query),
    ]
    inner, experts = a.feed_forward, 1
    if a.experts is not None:
        inner, experts = a.experts.width, a.experts.count
    return [
        *attention,
        Matrix("ffn_gate", inner, a.width, experts),
        Matrix("ffn_up", inner, a.width, experts),
        Matrix("ffn_down", a.width, inner, experts),
    ]


def parameters(a: Architecture) -> int:
    """Number of weights; a shared embedding counts once."""
    return train_shape(a).parameters


def gguf_size(a: Architecture, quant: str = "Q4_K_M") -> int:
    """Size of a GGUF file of type ``Q4_K_M`` or ``Q8_0``, tensor by tensor as llama.cpp chooses.

    Raises:
        ValueError: another type.
    """
    if quant not in ("Q4_K_M", "Q8_0"):
        raise ValueError(f"no rule for {quant}")
    bits = sum(matrix.size * _bits(kind, matrix.row) for matrix, kind in _types(a, quant))
    vectors = train_shape(a).vectors * _BITS["F32"]
    metadata = min(_GGUF_METADATA, 40 * a.vocabulary)
    return int((bits + vectors) / 8) + metadata


def _types(a: Architecture, quant: str) -> Iterator[tuple[Matrix, str]]:
    """Every matrix with its type. Source: llama_tensor_get_type_impl in llama-quant.cpp."""
    low, high = ("Q4_K", "Q6_K") if quant == "Q4_K_M" else ("Q8_0", "Q8_0")
    embedding = Matrix("token_embd", a.vocabulary, a.width)
    yield embedding, high if a.tied else low
    if not a.tied:
        yield Matrix("output", a.vocabulary, a.width), high
    for layer in range(a.layers):
        for matrix in layer_matrices(a):
            better = matrix.name in ("attn_v", "ffn_down") and _more_bits(layer, a.layers)
            yield matrix, high if better else low


def _more_bits(layer: int, layers: int) -> bool:
    """``use_more_bits`` of llama-quant.cpp: the ends of the model, and every third between."""
    first = layers // 8
    return layer < first or layer >= 7 * layers // 8 or (layer - first) % 3 == 2


def _bits(kind: str, row: int) -> float:
    return _BITS[_FALLBACK.get(kind, kind) if row % _K_BLOCK else kind]


def inference(
    a: Architecture,
    *,
    file_size: int | None = None,
    slots: int = SLOTS,
    context_per_slot: int = CONTEXT_PER_SLOT,
) -> Estimate:
    """Memory to sample with llama.cpp: the file, and a 16-bit cache for all slots.

    ``file_size`` is that of the GGUF in bytes; without it a Q4_K_M file is assumed.
    """
    cells = slots * min(context_per_slot, a.context)
    cache = 2 * 2 * a.layers * a.kv_heads * a.head_dim * cells  # keys and values, 2 bytes each
    widest = a.feed_forward if a.experts is None else a.experts.width * a.experts.used
    # Hidden states of one batch in 32 bits, and the logits of every slot.
    buffers = 4 * (_LLAMA_BATCH * 4 * (a.width + widest) + slots * a.vocabulary)
    return Estimate(
        {
            "weights": file_size or gguf_size(a),
            "KV cache": cache,
            "buffers": buffers,
            "process": _LLAMA_CPP,
        }
    )


def train_shape(a: Architecture) -> TrainShape:
    """What training's memory depends on."""
    experts = a.experts
    return TrainShape(
        layers=a.layers,
        width=a.width,
        feed_forward=a.feed_forward if experts is None else experts.width,
        heads=a.heads,
        kv_heads=a.kv_heads,
        head_dim=a.head_dim,
        vocabulary=a.vocabulary,
        tied=a.tied,
        biases=a.type == "qwen2",
        head_norms=a.type != "qwen2",
        context=a.context,
        experts=1 if experts is None else experts.count,
        used=1 if experts is None else experts.used,
    )


def training(a: Architecture, *, gpu: bool, rank: int | None = None) -> Estimate:
    """Peak memory of 4-bit QLoRA with Unsloth: on a GPU its own memory, else that of the process.

    As ``localdistill plan`` computes it (``trainers.train_memory``), at its least: with what
    is not needed computed again, and one example of ``train.max_length`` tokens at a time. ``rank``
    is LoRA's; without it, the default of ``train.rank``.
    """
    defaults, shape = TrainConfig(), train_shape(a)
    task = TrainTask(
        rank=rank or defaults.rank,
        longest=min(defaults.max_length, a.context),
        tokens=1,
        kept="none",
    )
    found = need(shape, task, Place(gpu=gpu, width=2 if gpu else bytes_of_a_value()))
    return Estimate(
        {
            "4-bit layers": found.layers,
            "embeddings": found.embeddings,
            "LoRA and optimiser": found.adapter,
            "activations": found.activations + found.passing + found.fragments,
            "CUDA" if gpu else "process": found.process,
        }
    )
