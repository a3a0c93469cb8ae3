"""Which activations are kept for the way back on a CPU: the results of large matrix products.

Between keeping all and computing all again there is a better place on a CPU. What takes the time is
the products with the frozen 4-bit weights, and attention; what takes the memory is mostly what is
made of their results value by value (norms, rotations, casts, SwiGLU, the adapter's own small
products). So the former are kept and the latter made again: a third of the arithmetic is saved as
if everything were kept, in less than half of that memory.

For each token and layer that is the layer's input, the outputs of its seven projections, and the
result of attention (``train_memory.of_products``), in the type of the computation.
"""

from __future__ import annotations

import functools
from typing import Any


def keep_products(model: Any) -> None:
    """Make ``model``, one of transformers with a gradient checkpoint for each layer, work so."""
    from torch.utils.checkpoint import create_selective_checkpoint_contexts

    model.gradient_checkpointing_enable(
        gradient_checkpointing_kwargs={
            "use_reentrant": False,
            "context_fn": functools.partial(create_selective_checkpoint_contexts, _policy),
        }
    )


def _policy(context: Any, operation: Any, *args: Any, **kwargs: Any) -> Any:
    from torch.utils.checkpoint import CheckpointPolicy

    if operation in _kept():
        return CheckpointPolicy.MUST_SAVE
    return CheckpointPolicy.PREFER_RECOMPUTE


@functools.cache
def _kept() -> frozenset[Any]:
    import torch

    return frozenset(
        {
            torch.ops.bitsandbytes.gemm_4bit.default,
            torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default,
        }
    )
