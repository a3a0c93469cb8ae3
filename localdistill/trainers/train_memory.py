"""How much memory training takes, computed before anything is loaded. Everything is in bytes.

Read off the source of Unsloth's CPU backend (``unsloth_zoo/cpu``), bitsandbytes, PEFT and
transformers, and compared with what a process takes (``benchmarks/train_memory.py``,
``tests/trainers/test_train_memory.py``). For a GPU the same sums are made with what Unsloth's own
kernels keep; nothing of that has been measured.
"""

from __future__ import annotations

from dataclasses import dataclass

from localdistill.trainers import allocator
from localdistill.trainers.base import Kept
from localdistill.trainers.shape import TrainShape

# Interpreter, PyTorch, transformers, PEFT, TRL and Unsloth imported, with tokenizer and examples:
# what was measured with the seed model, less all that is counted here.
PROCESS = 560_000_000
# A token of the vocabulary, with its merges, in the tokenizer that Unsloth loads and in the one of
# ``chat_tokens``: measured with 151,936 tokens.
PER_TOKEN = 1_370
# A CUDA context and its kernels, of every GPU that a process uses. From general experience, not
# measured here.
CUDA = 600_000_000
# NF4 with double quantisation, in bits a weight: 4, an 8-bit scale for 64 weights, and 32 bits for
# 256 of those (Dettmers et al., arXiv 2305.14314, section 3). Unsloth asks for it
# (``bnb_4bit_use_double_quant``, cpu/loader.py).
NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)
# An adapter's weight in 32 bits, its gradient, and AdamW's two moments (Kingma and Ba, arXiv
# 1412.6980, algorithm 1). In the machine's own memory also the copy of the best adapter so far
# (``snapshot``).
PER_ADAPTER_WEIGHT, BEST_COPY = 4 * 4, 4
# Unsloth's CPU backend takes the loss in pieces of so many logits (``chunked_linear_cross_entropy``
# in cpu/ops.py), and of at least 16 rows.
LOSS_ELEMENTS = 16 * 2**20
# Its fused loss on a GPU takes 16 bytes for each token and entry of the vocabulary, and works in
# pieces of half of what is free if that is less (``get_chunk_size``, cross_entropy_loss.py): so
# this is what it must have at the least, and it may take more.
GPU_LOSS = 500_000_000
# From this size of the 16-bit weights on, memory is what is short: activations are not all kept,
# and fewer tokens go through at once (``together``).
LARGE_BYTES = 200_000_000
# PyTorch asks for blocks at multiples of 64 bytes (``posix_memalign``), for which glibc needs a gap
# a little larger than the block: one that has been given back is too small for the next one of the
# same size. So blocks below this size take twice of it in the long run where all is kept (1.9 to
# 2.0 times with the seed model). Where a layer is computed again, each of its passes leaves
# gaps of their own between what is kept; how large was set by trainings of the seed model and of
# the 0.5B. Larger blocks are mapped, and go back to the kernel (DEFAULT_MMAP_THRESHOLD_MAX of
# malloc.c; for large models see ``allocator``).
MAPPED_BLOCK = 32 * 2**20
_GAPS_HELD, _GAPS_AGAIN = 2.0, 3.5
_FLOAT = 4


@dataclass(frozen=True)
class Place:
    """Where is trained: ``width`` is the bytes of a value of the computation.

    A GPU computes in 16 bits, and a CPU in 32 unless it has instructions for bfloat16.
    """

    gpu: bool
    width: int = 2


@dataclass(frozen=True)
class TrainTask:
    """What is trained, and how."""

    rank: int
    longest: int  # tokens of the longest example
    tokens: int  # of a micro-batch, padding included; one example is always allowed
    kept: Kept
    rows: int = 8  # examples of a micro-batch, at most
    four_bit: bool = True

    @property
    def together(self) -> int:
        """Tokens of the largest micro-batch."""
        return max(self.longest, min(self.tokens, self.rows * self.longest))


@dataclass(frozen=True)
class TrainNeed:
    """Memory by what it is for."""

    process: int  # interpreter and libraries; on a GPU its context
    layers: int  # frozen weights of the layers, in 4 bits
    embeddings: int  # and norms: frozen weights that are not quantised
    adapter: int  # with its gradients and moments
    activations: int  # what a pass keeps for the way back
    passing: int  # what is alive for a moment on the way back, or while the loss is taken
    fragments: int = 0  # gaps that the allocator cannot use again
    mapped: int = 0  # pages of the model's file while it is read: the kernel can take them back
    stays: bool = False  # the file stays mapped: its embedding is used where it is

    @property
    def peak(self) -> int:
        """The most that must be there at one time."""
        weights = self.process + self.layers + self.embeddings
        return weights + self.adapter + self.activations + self.passing + self.fragments

    @property
    def resident(self) -> int:
        """The greatest resident memory of the process, which pages of the file count into."""
        if self.stays:
            return self.peak + self.mapped - self.embeddings
        return max(self.process + self.layers + self.embeddings + self.mapped, self.peak)


def is_large(shape: TrainShape) -> bool:
    """Whether memory is what is short."""
    return 2 * shape.parameters > LARGE_BYTES


def together(kept: Kept, *, large: bool) -> int:
    """Tokens of a micro-batch, padding included, where memory is no matter: more gain little.

    Where products are kept a token takes more, and half as many are enough: to dequantise the
    weights is a small part of the work then already.
    """
    if kept == "products":
        return 1024
    return 2048 if large else 4096


def preferred(shape: TrainShape, place: Place) -> tuple[Kept, ...]:
    """What is kept: the best first.

    On a CPU a large model keeps the results of its products only, which costs next to no time
    (``activations``); on a GPU that is not to be had, and all is kept where there is room.
    """
    if place.gpu:
        return ("all", "none")
    return ("products", "none") if is_large(shape) else ("all", "products", "none")


def need(
    shape: TrainShape,
    task: TrainTask,
    place: Place,
    stored: int | None = None,
    *,
    stays: bool = False,
) -> TrainNeed:
    """What training takes at its peak.

    ``stored`` is the size of the model's safetensors files; 16 bits a weight unless it is given.
    ``stays``: the embedding has the type of the computation in the file, so that the libraries
    leave it where it is and the file stays mapped.
    """
    bits = NF4_BITS if task.four_bit else 8 * place.width
    adapter = PER_ADAPTER_WEIGHT
    if not place.gpu:
        # With 16 bits PyTorch's autocast holds a copy for the time of a pass.
        adapter += BEST_COPY + (place.width if place.width < _FLOAT else 0)
    # A smaller micro-batch may take more, if its blocks are too small to be mapped.
    passes = [_pass(shape, task, place, tokens) for tokens in _tried(shape, task, place)]
    activations, passing, fragments = max(passes, key=sum)
    return TrainNeed(
        process=CUDA if place.gpu else PROCESS + shape.vocabulary * PER_TOKEN,
        layers=int(shape.linear * bits / 8),
        embeddings=(shape.embeddings + shape.vectors) * place.width,
        adapter=task.rank * shape.edges * adapter,
        activations=activations,
        passing=passing,
        fragments=fragments,
        # Each tensor is copied in the type of the computation or quantised, one after the other
        # (``convert_and_load_state_dict_in_model`` of transformers): all pages of the file have
        # been touched at the end, and none of it was held twice.
        mapped=0 if place.gpu else 2 * shape.parameters if stored is None else stored,
        stays=stays and not place.gpu,
    )


def _tried(shape: TrainShape, task: TrainTask, place: Place) -> list[int]:
    """Tokens of the largest micro-batch, and of those that are just too small for a block."""
    if place.gpu:
        return [task.together]
    widths = {*of_one_layer(shape, task, place), *of_products(shape, place)}
    widths |= {shape.vocabulary * width for width in (place.width, _FLOAT)}  # logits
    smaller = {(_mapped_block(shape) - 1) // width for width in widths}
    return [task.together, *(tokens for tokens in smaller if 0 < tokens < task.together)]


def _pass(shape: TrainShape, task: TrainTask, place: Place, tokens: int) -> tuple[int, int, int]:
    """Activations, what passes, and fragments of a micro-batch of ``tokens``."""
    held, again = ([tokens * size for size in sizes] for sizes in _kept(shape, task, place))
    loss = [GPU_LOSS] if place.gpu else _loss(shape, tokens, place)
    passing = max(_backward(shape, tokens, place), loss, key=sum)
    mapped = 0 if place.gpu else _mapped_block(shape)
    small_held, small = (
        sum(block for block in blocks if block < mapped) for blocks in (held, again + passing)
    )
    gaps = small_held + small
    if task.kept != "all":
        gaps = int(_GAPS_HELD * small_held + _GAPS_AGAIN * small)
    return sum(held) + sum(again), sum(passing), gaps


def _mapped_block(shape: TrainShape) -> int:
    return allocator.APART if is_large(shape) else MAPPED_BLOCK


def of_one_layer(shape: TrainShape, task: TrainTask, place: Place) -> list[int]:
    """Bytes that one layer keeps for each token where everything is kept, tensor by tensor.

    What autograd saves (``saved_tensors``) of transformers' layer with PEFT's ``Linear4bit``, whose
    product with the frozen matrix saves no input (``MatMul4Bit`` of bitsandbytes):

    - the input of each norm in 32 bits, and its root mean square;
    - what goes into projections: the adapter's A wants it, one for query, key and value, one for
      the output, one for gate and up, one for down; and the results of the seven A;
    - of attention query, key, value (the result is the output's input), and the logarithm of the
      sum (32 bits) of a head;
    - of SwiGLU gate, its activation and up.

    Unsloth's kernels on a GPU keep gate and up only, and compute the product again (``LoRA_MLP`` of
    fast_lora.py).
    """
    wide, query, shared = shape.width, shape.query, shape.shared
    norms = [wide, wide, *([query, shared] if shape.head_norms else [])]
    values = [wide, wide, query, query, shared, shared]
    values += [shape.inner] * (2 if place.gpu else 4) + [task.rank] * (0 if place.gpu else 7)
    small = [1, 1, shape.heads, *([shape.heads, shape.kv_heads] if shape.head_norms else [])]
    in_norm = place.width if place.gpu else _FLOAT
    return [
        *(in_norm * width for width in norms),
        *(place.width * width for width in values),
        *(_FLOAT * width for width in small),
    ]


def of_products(shape: TrainShape, place: Place) -> list[int]:
    """Bytes that a layer keeps for each token where the results of products are kept.

    Its input; the results of seven projections; and that of attention. See ``activations``.
    """
    wide, query, shared = shape.width, shape.query, shape.shared
    values = [wide, query, shared, shared, query, wide, shape.inner, shape.inner, wide]
    return [place.width * width for width in values]


def _kept(shape: TrainShape, task: TrainTask, place: Place) -> tuple[list[int], list[int]]:
    """What all layers hold, and what one that is computed again does: bytes of each for a token."""
    layer = of_one_layer(shape, task, place)
    if task.kept == "all":
        return layer * shape.layers, []
    # Of all layers the input, or what ``products`` keeps, and one layer that is computed again.
    # On a GPU Unsloth moves the inputs to the machine's memory; they are counted all the same.
    each = [shape.width * place.width] if task.kept == "none" else of_products(shape, place)
    return each * shape.layers, layer


def _backward(shape: TrainShape, tokens: int, place: Place) -> list[int]:
    """On the way back through a feed-forward part, which is where most is alive.

    The gradient of its product by the frozen matrix, by the adapter, and their sum; that of the
    residual stream; and the frozen matrix, dequantised whole (``MatMul4Bit.backward``).
    """
    values = [tokens * width for width in [shape.inner] * 3 + [shape.width] * 2]
    return [place.width * count for count in [*values, shape.largest]]


def _loss(shape: TrainShape, tokens: int, place: Place) -> list[int]:
    """One piece of logits in 32 bits (and as computed), hidden states and their gradient."""
    logits = min(tokens, max(16, LOSS_ELEMENTS // shape.vocabulary)) * shape.vocabulary
    hidden = [tokens * shape.width * place.width] * 3
    return [logits * _FLOAT, *([] if place.width == _FLOAT else [logits * place.width]), *hidden]
