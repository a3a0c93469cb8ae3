"""What the gate's figures are held against, and where the numbers come from.

``benchmarks/parity_bounds.py`` measures them; docs/parity.md has its table. A bound is several
times what was measured of sound models: it is there to find broken files, and a type's own loss is
for its user to choose.
"""

from __future__ import annotations

from dataclasses import dataclass

from localdistill.quantization.llama_quantize import FILE_TYPES, file_type

# Nats, mean over positions: a GGUF file in F16 against the same weights in 32 bits.
F16_KL = 1e-3
F16_POSITIONS = 1000  # at least
# Share of what training won on held-out text that a file has to keep.
SURVIVAL = 0.8
NOTHING = 0.001  # nats that are never worth a word
# Nats between the 4-bit base of training and the 16-bit weights, on held-out text.
BASE_ABOVE, BASE_BELOW = 0.1, 0.3
NF4_KL = 0.05
# A file may be this many times as far from its 16-bit weights as the starting file from its own.
RELATIVE = 1.5


@dataclass(frozen=True)
class Bound:
    """Of a quantised file against F16."""

    kl: float  # nats, at most
    top1: float  # share of positions with the same most probable token, at least


_BY_TYPE = {
    "F16": Bound(0.001, 0.98),
    "BF16": Bound(0.01, 0.95),
}
_ELSE = Bound(0.5, 0.5)


def type_name_of(number: int | None) -> str:
    """The name of a llama_ftype (``general.file_type``), ``unknown`` for any other."""
    return next((name for name in FILE_TYPES if file_type(name) == number), "unknown")


def bound_of(name: str) -> Bound:
    """The bound for files of the type called ``name``."""
    return _BY_TYPE.get(name, _ELSE)
