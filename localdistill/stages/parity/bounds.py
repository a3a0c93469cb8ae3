"""What the gate's figures are held against, and where the numbers come from.

``benchmarks/parity_bounds.py`` measures them; docs/parity.md has its table. A bound is several
times what was measured of sound models: it is there to find broken files, and a type's own loss is
for its user to choose.
"""

from __future__ import annotations

from dataclasses import dataclass

from localdistill.quantization.llama_quantize import FILE_TYPES, IMPORTANCE_TYPES, file_type

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


# Five times and more of what was measured of the 0.5B model, where it was (Q8_0, Q4_0, Q2_K); the
# other types stand between them in the order in which the seed model has them.
_BY_TYPE = {
    "F16": Bound(0.001, 0.98),
    "BF16": Bound(0.005, 0.95),
    "Q8_0": Bound(0.005, 0.95),
    "Q6_K": Bound(0.02, 0.93),
    **dict.fromkeys(("Q5_K_M", "Q5_K_S", "Q5_1", "Q5_0"), Bound(0.05, 0.9)),
    **dict.fromkeys(("Q4_K_M", "Q4_K_S"), Bound(0.15, 0.85)),
    **dict.fromkeys(("Q4_1", "Q4_0", "IQ4_NL", "IQ4_XS"), Bound(0.2, 0.82)),
    **dict.fromkeys(("Q3_K_L", "Q3_K_M", "Q3_K_S"), Bound(0.4, 0.75)),
    **dict.fromkeys(("Q2_K", "Q2_K_S"), Bound(0.6, 0.65)),
    **dict.fromkeys(("IQ3_M", "IQ3_S", "IQ3_XS", "IQ3_XXS"), Bound(0.6, 0.65)),
    **dict.fromkeys(("IQ2_M", "IQ2_S", "IQ2_XS"), Bound(1.0, 0.5)),
}
_ELSE = Bound(1.0, 0.5)


def type_name_of(number: int | None) -> str:
    """The name of a llama_ftype (``general.file_type``), ``unknown`` for any other."""
    known = FILE_TYPES + IMPORTANCE_TYPES
    return next((n for n in known if file_type(n, with_importance=True) == number), "unknown")


def bound_of(name: str) -> Bound:
    """The bound for files of the type called ``name``."""
    return _BY_TYPE.get(name, _ELSE)
