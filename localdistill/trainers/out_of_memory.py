"""What to do when memory runs out in the middle of a step, in spite of the plan.

PyTorch frees what the failed pass held, and a step has changed nothing until its end. So the step
is done again in micro-batches of half the size: the same gradient, up to rounding.
"""

from __future__ import annotations

import gc

from localdistill import memory
from localdistill.errors import MemoryShortage


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory ran out, on a GPU or on a CPU."""
    if isinstance(error, MemoryError):
        return True
    # torch.OutOfMemoryError is a RuntimeError; on a CPU it is a plain one.
    return isinstance(error, RuntimeError) and memory.is_short(str(error))


def release() -> None:
    """Give back what nothing refers to any more."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def smaller(max_tokens: int, widest: int, longest: int) -> int:
    """The next bound for a micro-batch.

    ``widest`` is the size, padding included, of the largest micro-batch of the step that failed,
    and ``longest`` its longest example, in tokens.

    Raises:
        MemoryShortage: it was of one example already.
    """
    if widest <= longest:
        raise MemoryShortage(
            f"train: memory ran out on a single example of {longest} tokens. Lower "
            f"train.max_length below {longest}, set train.keep_activations = false, lower "
            "train.rank, close other programs, or take a smaller model; the same command goes on "
            "from the last checkpoint."
        )
    # Half of what was really tried: halving a bound that nothing reached would be tried in vain.
    return max(8, min(max_tokens, widest) // 2)
