"""How much memory a model needs, from the numbers of its architecture.

All sizes are in bytes, and all are estimates: docs/models.md compares them with what was measured.
Each estimate is a sum of named parts, so that it can be argued with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from localdistill.catalogue.entry import Architecture
from localdistill.config import TrainConfig

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

# NF4 with double quantisation: 4 bits, an 8-bit scale for 64 weights, and 32 bits for 256 of those
# (Dettmers et al., arXiv 2305.14314, section 3).
_NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)
# A trained weight in 32 bits, its gradient, and AdamW's two moments.
_BYTES_A_LORA_WEIGHT = 16
# Tokens that pass through together, and from which size on activations are computed again: what
# trainers/unsloth_qlora.py does. A test holds them equal.
LARGE_BYTES = 200_000_000
TOKENS_TOGETHER = {"small": 4096, "large": 2048}
# Unsloth takes the loss in pieces of 16 million logits of 32 bits; three copies are alive at once.
_LOSS = 3 * 4 * 16 * 2**20
_PYTHON = 530_000_000  # PyTorch, transformers and Unsloth imported; measured
_CUDA = 600_000_000  # CUDA context and kernels; taken from general experience, not measured
_LLAMA_CPP = 150_000_000  # Python with llama.cpp loaded
_LLAMA_BATCH = 512  # tokens in one forward pass of backends/llama_decoder.py


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


def _vectors(a: Architecture) -> int:
    """Weights that are never quantised: norms, biases, and the router of a mixture of experts."""
    in_layer = 2 * a.width
    if a.type == "qwen2":
        in_layer += (a.heads + 2 * a.kv_heads) * a.head_dim  # biases of query, key and value
    else:
        in_layer += 2 * a.head_dim  # norms of query and key
    if a.experts is not None:
        in_layer += a.experts.count * a.width
    return a.layers * in_layer + a.width


def _embeddings(a: Architecture) -> int:
    return a.vocabulary * a.width * (1 if a.tied else 2)


def _linear(a: Architecture) -> int:
    """Weights of all layers' matrices, which are what NF4 and LoRA apply to."""
    return a.layers * sum(matrix.size for matrix in layer_matrices(a))


def parameters(a: Architecture) -> int:
    """Number of weights; a shared embedding counts once."""
    return _linear(a) + _embeddings(a) + _vectors(a)


def weights_16bit(a: Architecture) -> int:
    """Size of the safetensors files in bfloat16."""
    return 2 * parameters(a)


def gguf_size(a: Architecture, quant: str = "Q4_K_M") -> int:
    """Size of a GGUF file of type ``Q4_K_M`` or ``Q8_0``, tensor by tensor as llama.cpp chooses.

    Raises:
        ValueError: another type.
    """
    if quant not in ("Q4_K_M", "Q8_0"):
        raise ValueError(f"no rule for {quant}")
    bits = sum(matrix.size * _bits(kind, matrix.row) for matrix, kind in _types(a, quant))
    vectors = _vectors(a) * _BITS["F32"]
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


def training(a: Architecture, *, gpu: bool, rank: int | None = None) -> Estimate:
    """Peak memory of 4-bit QLoRA with Unsloth: on a GPU its own memory, else that of the process.

    ``rank`` is LoRA's; without it the default of ``train.rank``. On a CPU this is the worst case:
    while transformers turns 16-bit weights into 4-bit ones, between none and all of them are in
    memory at once, as it happens, and what they took is not given back. The mapped file, which a
    process's resident size counts as well, is left out: the kernel drops it when memory is short.
    """
    rank = rank or int(TrainConfig().rank)
    lora = a.layers * sum(rank * (m.rows + m.row) * m.count for m in layer_matrices(a))
    base = {
        "4-bit layers": int(_linear(a) * _NF4_BITS / 8),
        "16-bit embeddings": 2 * (_embeddings(a) + _vectors(a)),
    }
    working = {
        "LoRA and optimiser": lora * _BYTES_A_LORA_WEIGHT,
        "activations": _activations(a),
        "loss": _LOSS,
    }
    if gpu:
        return Estimate({**base, **working, "CUDA": _CUDA})
    copies = {"16-bit weights while loading": weights_16bit(a)}
    return Estimate({**base, **copies, **working, "process": _PYTHON})


def _activations(a: Architecture) -> int:
    """Activations of one micro-batch in 16 bits.

    Kept in all layers for a small model. For a large one only the input of each layer is, and the
    rest of one layer at a time is computed again.
    """
    query, cache = a.heads * a.head_dim, a.kv_heads * a.head_dim
    inner = a.feed_forward if a.experts is None else a.experts.width * a.experts.used
    # Norms and residuals; query, key, value and output; gate, up, their activation and product, in
    # both types between which LoRA's and the base's arithmetic change.
    in_layer = 6 * a.width + 4 * (query + cache) + 8 * inner
    if weights_16bit(a) <= LARGE_BYTES:
        return 2 * TOKENS_TOGETHER["small"] * a.layers * in_layer
    # Twice: the layer's activations and their gradients.
    return 2 * TOKENS_TOGETHER["large"] * (a.layers * a.width + 2 * in_layer)
