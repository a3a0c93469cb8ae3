"""A p-value for a paired difference that assumes nothing of its distribution."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_EXACT = 16  # problems that differ, up to which all 2**n signs are gone through
_FLIPS = 20_000
_SEED = 20_260_403  # fixed: the same differences give the same p-value


def sign_flip_p(differences: npt.NDArray[np.float64]) -> float:
    """Two-sided p-value of "the two models are alike", from paired ``differences`` by problem.

    Were the models alike, each problem's difference would have been its negative as easily: so its
    sign is flipped at random, and the p-value is the share of sums that are at least as large.
    Exact for up to 16 problems that differ; else of 20,000 flips, with the data themselves counted
    as one, so that it is never 0 (Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9).
    """
    moved = differences[differences != 0]
    if not moved.size:
        return 1.0
    # Rounding must not make a sum that is equal a little smaller.
    bound = abs(float(moved.sum())) - 1e-9
    if moved.size <= _EXACT:
        numbers = np.arange(2**moved.size, dtype=np.uint32)[:, None]
        signs = 1.0 - 2.0 * ((numbers >> np.arange(moved.size, dtype=np.uint32)) & 1)
        return float((np.abs(signs @ moved) >= bound).mean())
    # Differences of one size are flipped together: how many of them are positive is binomial.
    sizes, counts = np.unique(np.abs(moved), return_counts=True)
    generator = np.random.default_rng(_SEED)
    positive = generator.binomial(counts, 0.5, size=(_FLIPS, sizes.size))
    reached = int((np.abs((2 * positive - counts) @ sizes) >= bound).sum())
    return (reached + 1) / (_FLIPS + 1)
