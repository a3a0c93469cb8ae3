"""How much memory llama.cpp takes for a model, computed before anything of it is loaded.

Read off llama.cpp's source and the sizes that it prints of its buffers, and compared with what a
process takes (``benchmarks/generate_memory.py``). Everything is in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

# Interpreter, numpy, pydantic and llama.cpp's code, before a model is opened.
PROCESS = 72_000_000
# Of the vocabulary in memory: text, score, attributes, two tables by text, and a merge.
_PER_TOKEN = 320
_FLOAT, _HALF = 4, 2
CELLS = 256  # llama.cpp rounds the cache up to so many tokens


@dataclass(frozen=True)
class ModelShape:
    """What the memory for a model depends on."""

    weights: int  # bytes of all tensors
    repacked: int  # of those: of types that llama.cpp copies into another order for this processor
    vocabulary: int  # tokens
    cache_per_token: int  # bytes of a key and a value in each layer
    embedding: int  # width of a layer
    feed_forward: int  # width inside of a layer; of all experts that a token takes together
    layers: int
    context: int  # tokens that it was trained for


@dataclass(frozen=True)
class Need:
    """Memory by what it is for."""

    process: int
    weights: int
    vocabulary: int
    cache: int  # keys and values of all cells
    compute: int  # intermediate results of one forward pass
    logits: int  # of all sequences

    @property
    def total(self) -> int:
        """All of it: an upper bound of what the process will take at its peak."""
        return (
            self.process + self.weights + self.vocabulary + self.cache + self.compute + self.logits
        )


def need(shape: ModelShape, *, sequences: int, cells: int, batch: int) -> Need:
    """Memory to decode ``sequences`` over a cache of ``cells`` tokens, ``batch`` in a pass.

    The largest moment of a pass is inside of a layer's feed-forward part: its two inner vectors and
    some ten of the layer's width for each token, and the mask of the attention, 16 bits for each
    pair of token and cell. Logits, which come later, use the same memory. Beside it, matrices'
    inputs are converted in a work space of up to 32 bits each.
    """
    cells = rounded(cells)
    inside = batch * (2 * shape.feed_forward + 10 * shape.embedding) * _FLOAT
    work = batch * shape.feed_forward * _FLOAT
    logits = sequences * shape.vocabulary * _FLOAT
    return Need(
        process=PROCESS,
        weights=shape.weights + shape.repacked,
        vocabulary=shape.vocabulary * _PER_TOKEN,
        cache=cells * shape.cache_per_token,
        compute=max(inside, logits) + batch * cells * _HALF + work,
        logits=logits,
    )


def rounded(cells: int) -> int:
    """``cells`` as llama.cpp rounds them up."""
    return -(-cells // CELLS) * CELLS
