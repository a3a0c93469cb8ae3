"""How much memory llama.cpp takes for a model, computed before anything of it is loaded.

Read off llama.cpp's source and the sizes that it prints of its buffers, and compared with what a
process takes (``benchmarks/generate_memory.py``). Everything is in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

# Interpreter, numpy, pydantic, llama.cpp's code and its descriptions of graphs: what was measured
# with the seed model, less all that is counted here. Some 28 MB of it are pages of files (code of
# libraries), of which the kernel maps more or fewer around each that is touched, by what its page
# cache holds: the same code took 68.6 MB on one machine and 70.1 MB on another, so 3 MB are added.
PROCESS = 73_000_000
# A token of the vocabulary: text, score and attributes (struct token_data, 40 bytes), its node and
# bucket in the table by text (72), its text once more as a piece (32); a merge: node and bucket of
# the table of pairs (104); and both as strings of the file's metadata while it is read (68). Nodes
# as glibc's malloc rounds them up. Python reads the same header first, and keeps some of the memory
# that its strings took (13 MB of 28 with 152,000 tokens, measured).
_PER_TOKEN = 40 + 72 + 32 + 104 + 68 + 90
# To draw: values, indices and sums of blocks of one row (draw.c).
_PER_TOKEN_DRAWN = 9
# A request and, when they are counted at the end, the completion as it was read: measured with
# texts of 400 characters.
_PER_REQUEST = 2_000
_FLOAT, _HALF = 4, 2
# The CPU backend converts the input of a matrix for its arithmetic: in blocks (Q8_K, the widest,
# has 292 bytes for 256 values), or to 16 bits.
_WORK_BLOCKS, _WORK_HALVES = 292 / 256, 2.0
# And each of its threads has a place for tiles of matrices (TILED_WS_SLOT, tiled.h) and of the
# attention (ggml_graph_plan: 64 rows each of query, key, value and result, of a head that is at
# most 256 wide, and two tiles of 64 x 64).
_WORK_PER_THREAD = 512 * 1024 + _FLOAT * 64 * (4 * 256 + 2 * 64)
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
    query: int = 0  # width of all heads' queries
    shared: int = 0  # width of all heads' keys, or values if those are wider
    experts: int = 0  # that a token takes; 0 in a dense model
    halves: bool = False  # whether there are matrices of 16 bits
    output: int = 0  # bytes of the output matrix
    inputs: int = 0  # bytes of the embedding
    tied: bool = False  # whether they are one


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


def need(
    shape: ModelShape,
    *,
    sequences: int,
    cells: int,
    batch: int,
    threads: int = 1,
    requests: int = 0,
) -> Need:
    """Memory to decode ``sequences`` over a cache of ``cells`` tokens, ``batch`` in a pass.

    ``requests`` is how many completions are drawn in all.
    """
    cells = rounded(cells)
    logits = sequences * shape.vocabulary * _FLOAT
    return Need(
        process=PROCESS + requests * _PER_REQUEST,
        weights=shape.weights + shape.repacked,
        vocabulary=shape.vocabulary * (_PER_TOKEN + _PER_TOKEN_DRAWN),
        cache=cells * shape.cache_per_token,
        compute=graph(shape, sequences=sequences, cells=cells, batch=batch)
        + _work(shape, max(batch, sequences), threads),
        logits=logits,
    )


def graph(shape: ModelShape, *, sequences: int, cells: int, batch: int) -> int:
    """The buffer of a pass's intermediate results, an upper bound in bytes.

    llama.cpp lays it out for a full batch, made a multiple of the number of sequences
    (``graph_reserve`` in llama-context.cpp). In it stand the mask of the attention, 16 bits for
    each pair of token and cell, and the floats that are alive at the largest moment of a layer.
    Which these are is left to an allocator that reuses gaps; the sums here are what it came to, or
    a little more, for dense models and mixtures of experts of many widths
    (``tests/backends/test_llama_memory.py`` compares):

    - attention: queries, keys and values, each before and after rotation, and three rows;
    - feed-forward: gate, up and their product, three rows and one more, as wide as the queries if
      those are wider; in a mixture the outputs of all experts that a token takes.

    The logits are computed when the mask is needed no longer, beside what the last layer has left.
    """
    batch = min(max(batch, sequences), rounded(cells))
    tokens = -(-batch // sequences) * sequences
    row, query = shape.embedding, max(shape.query, shape.embedding)
    attention = 2 * query + 2 * shape.shared + 3 * row
    inside = 3 * shape.feed_forward + 3 * row + query + shape.experts * row
    # Per token: its number, its position and the places of its key and value.
    numbers = tokens * (4 + 4 + 8 + 8)
    passing = tokens * (max(attention, inside) * _FLOAT + cells * _HALF)
    ending = sequences * (shape.vocabulary + inside) * _FLOAT
    return max(passing, ending) + numbers


def _work(shape: ModelShape, tokens: int, threads: int) -> int:
    widest = max(shape.feed_forward, shape.embedding, shape.query)
    converted = int(tokens * widest * (_WORK_HALVES if shape.halves else _WORK_BLOCKS))
    return converted + threads * _WORK_PER_THREAD


def rounded(cells: int) -> int:
    """``cells`` as llama.cpp rounds them up."""
    return -(-cells // CELLS) * CELLS
