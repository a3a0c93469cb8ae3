"""The learning rate of each step."""

from __future__ import annotations

import math


def learning_rate(step: int, steps: int, peak: float, warmup_ratio: float) -> float:
    """The rate of ``step`` (0 to ``steps`` - 1): a linear warmup to ``peak``, then half a cosine.

    The cosine would reach 0 one step after the last, so that no step is without effect
    (Loshchilov and Hutter, arXiv 1608.03983, with one cycle).
    """
    warmup = math.ceil(steps * warmup_ratio)
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / (steps - warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * progress))
