"""Which instructions for arithmetic this machine's processors have."""

from __future__ import annotations

from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_AVX2 = frozenset({"avx2", "fma", "f16c"})
# With them eight-bit integers are multiplied and summed up in one instruction, or twice as wide.
_FASTER_INTEGERS = ("avx512", "avx_vnni", "amx")


def flags(cpuinfo: Path = _CPUINFO) -> frozenset[str]:
    """The flags of the first processor, as Linux names them; none where it does not tell."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    line = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(line.partition(":")[2].split())


def floats_are_faster(found: frozenset[str] | None = None) -> bool:
    """Whether products of floats take less time here than those of eight-bit integers.

    They do on x86 with AVX2 and nothing beyond it: 8 products and sums of floats are one
    instruction there, and 32 of integers take three and the scale of each block besides. On other
    processors this was not measured, and the answer is no.
    """
    has = flags() if found is None else found
    return has >= _AVX2 and not any(flag.startswith(_FASTER_INTEGERS) for flag in has)
