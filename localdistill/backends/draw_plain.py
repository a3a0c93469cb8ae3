"""The same as ``draw.c`` in numpy: for installations without a compiler, and to test it by."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from localdistill.backends.draw import Logits, Logprobs, NotNumbers, Tokens
from localdistill.sampling import Sampling

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15


class PlainDraw:
    """See ``draw.Draw``."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling

    def __call__(
        self, logits: Logits, seeds: npt.NDArray[np.uint64], draws: npt.NDArray[np.uint32]
    ) -> tuple[Tokens, Logprobs]:
        """See ``Draw``."""
        tokens = np.empty(len(logits), dtype=np.int32)
        logprobs = np.empty(len(logits), dtype=np.float64)
        for number, row in enumerate(logits):
            highest = float(row.max())
            if not np.isfinite(highest):
                raise NotNumbers
            relative = row.astype(np.float64) - highest
            token = self._draw(relative, uniform(int(seeds[number]), int(draws[number])))
            tokens[number] = token
            logprobs[number] = relative[token] - np.log(np.exp(relative).sum())
        return tokens, logprobs

    def _draw(self, relative: npt.NDArray[np.float64], u: float) -> int:
        """``relative``: logits less the highest of them."""
        sampling = self._sampling
        if sampling.greedy:
            return int(relative.argmax())
        ids = np.arange(len(relative))
        if sampling.truncates:
            ids = np.sort(self._kept(relative))
        weights = np.exp(relative[ids] / sampling.temperature).cumsum()
        position = int(np.searchsorted(weights, u * weights[-1], side="right"))
        return int(ids[min(position, len(ids) - 1)])

    def _kept(self, relative: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Ids of what the truncations keep, the likeliest first."""
        sampling = self._sampling
        scaled = relative if sampling.order == "llama.cpp" else relative / sampling.temperature
        ids = np.argsort(-scaled, kind="stable")
        if sampling.top_k > 0:
            ids = ids[: sampling.top_k]
        if sampling.top_p < 1:
            mass = np.exp(scaled[ids]).cumsum()
            ids = ids[: int(np.searchsorted(mass, sampling.top_p * mass[-1])) + 1]
        if sampling.min_p > 0:
            ids = ids[scaled[ids] >= np.log(sampling.min_p)]
        return ids


def uniform(seed: int, draw: int) -> float:
    """Number ``draw`` (from 0) of the stream of ``seed``, in [0, 1).

    SplitMix64: Steele, Lea and Flood 2014, doi:10.1145/2714064.2660195.
    """
    start = _mixed((seed + _STEP) & _MASK)
    return (_mixed((start + (draw + 1) * _STEP) & _MASK) >> 11) * 2.0**-53


def _mixed(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)
