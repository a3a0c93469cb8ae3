"""Draws the next tokens of many sequences from their logits, by an explicit chain of steps.

The work is done by ``draw.c``, which passes over a row of logits two or three times and never sorts
it; llama.cpp's own samplers build and, for top-p, sort a list of the whole vocabulary for every
token. Where it has not been compiled, ``draw_plain.py`` does the same in numpy, more slowly.

Random numbers are a function of (seed of the completion, number of the token), so that a completion
that is begun again draws the same ones.
"""

from __future__ import annotations

import ctypes
import zlib
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from localdistill.sampling import Sampling

_FOLDER = Path(__file__).resolve().parent
SOURCE, LIBRARY = _FOLDER / "draw.c", _FOLDER / "_draw.so"

Logits = npt.NDArray[np.float32]
Tokens = npt.NDArray[np.int32]
Logprobs = npt.NDArray[np.float64]


class NotNumbers(ValueError):
    """A row holds what is not a number, or infinite."""


class Draw(Protocol):
    """Draws one token from each of several rows."""

    def __call__(
        self, logits: Logits, seeds: npt.NDArray[np.uint64], draws: npt.NDArray[np.uint32]
    ) -> tuple[Tokens, Logprobs]:
        """Draw from ``logits``, shape (rows, vocabulary), contiguous.

        ``seeds`` and ``draws``, shape (rows,), say whose random number it is and which (from 0).
        Gives the tokens and their log-probabilities in nats, both of shape (rows,): under the
        softmax of the raw logits, temperature 1 and nothing truncated. The arrays may be written
        over by the next call.

        Raises:
            NotNumbers: a logit is not finite (minus infinity is allowed).
        """


def chain(sampling: Sampling) -> list[str]:
    """The steps by which tokens are drawn, in their order, as the manifest records them.

    Steps that change nothing are left out. Each truncation works on what the ones before it have
    left, renormalised.
    """
    if sampling.greedy:
        return ["greedy"]
    temperature = [f"temperature {sampling.temperature:g}"] if sampling.temperature != 1 else []
    truncations = []
    if sampling.top_k > 0:
        truncations.append(f"top-k {sampling.top_k}")
    if sampling.top_p < 1:
        truncations.append(f"top-p {sampling.top_p:g}")
    if sampling.min_p > 0:
        truncations.append(f"min-p {sampling.min_p:g}")
    first = temperature + truncations if sampling.order == "paper" else truncations + temperature
    return [*first, "draw"]


def new_draw(sampling: Sampling, vocabulary: int) -> Draw:
    """The fastest ``Draw`` that this installation has."""
    library = compiled()
    if library is not None:
        return CompiledDraw(library, sampling, vocabulary)
    from localdistill.backends.draw_plain import PlainDraw

    return PlainDraw(sampling)


@cache
def compiled() -> ctypes.CDLL | None:
    """``draw.c`` as a library; None where it was not compiled, or from another text than this."""
    try:
        library = ctypes.CDLL(str(LIBRARY))
        made_from = ctypes.string_at(ctypes.addressof(ctypes.c_char.in_dll(library, _TEXT)))
    except (OSError, ValueError):
        return None
    if made_from != f"{zlib.crc32(SOURCE.read_bytes()):08x}".encode():
        return None
    library.ld_draw_scratch.argtypes = [ctypes.c_int32]
    library.ld_draw_scratch.restype = ctypes.c_int64
    library.ld_draw.argtypes = [
        ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32, ctypes.c_void_p,
        *[ctypes.c_void_p] * 5,
    ]  # fmt: skip
    library.ld_draw.restype = ctypes.c_int32
    return library


_TEXT = "ld_draw_source"


class _Chain(ctypes.Structure):
    """As in draw.c."""

    _fields_ = (
        ("temperature", ctypes.c_float),
        ("top_p", ctypes.c_float),
        ("min_p", ctypes.c_float),
        ("top_k", ctypes.c_int32),
        ("temperature_last", ctypes.c_int32),
    )


class CompiledDraw:
    """See ``Draw``. Not for two threads at once: its scratch memory is its own."""

    def __init__(self, library: ctypes.CDLL, sampling: Sampling, vocabulary: int) -> None:
        self._call = library.ld_draw
        self._vocabulary = vocabulary
        self._chain = _Chain(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            min_p=sampling.min_p,
            top_k=sampling.top_k,
            temperature_last=sampling.order == "llama.cpp",
        )
        self._scratch = np.empty(-(-library.ld_draw_scratch(vocabulary) // 8), dtype=np.float64)
        self._tokens = np.empty(0, dtype=np.int32)
        self._logprobs = np.empty(0, dtype=np.float64)

    def __call__(
        self, logits: Logits, seeds: npt.NDArray[np.uint64], draws: npt.NDArray[np.uint32]
    ) -> tuple[Tokens, Logprobs]:
        """See ``Draw``."""
        rows = len(logits)
        if len(self._tokens) < rows:
            self._tokens = np.empty(rows, dtype=np.int32)
            self._logprobs = np.empty(rows, dtype=np.float64)
        failed = self._call(
            logits.ctypes.data, rows, self._vocabulary, ctypes.addressof(self._chain),
            seeds.ctypes.data, draws.ctypes.data,
            self._tokens.ctypes.data, self._logprobs.ctypes.data, self._scratch.ctypes.data,
        )  # fmt: skip
        if failed:
            raise NotNumbers
        return self._tokens[:rows], self._logprobs[:rows]
