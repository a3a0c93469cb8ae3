"""Which instructions for arithmetic llama.cpp was compiled for.

What counts is the build, not the processor: one for any processor with AVX2, as the image has it,
uses nothing beyond that wherever it runs.
"""

from __future__ import annotations

import re

from localdistill.backends.llama_model import bindings

_AVX2 = frozenset({"AVX2", "FMA", "F16C"})
# With them eight-bit integers are multiplied and summed up in one instruction, or twice as wide.
_FASTER_INTEGERS = ("AVX512", "AVX_VNNI", "AMX")


def compiled_for() -> frozenset[str]:
    """The sets of instructions in the library that is loaded, as llama.cpp names them (AVX2, FMA).

    Raises:
        MissingDependency: llama-cpp-python is not installed.
    """
    return named_in(bindings().llama_print_system_info().decode())


def named_in(info: str) -> frozenset[str]:
    """What is on in a line such as ``CPU : AVX2 = 1 | FMA = 1 | AMX_INT8 = 0 |``."""
    return frozenset(re.findall(r"(\w+) = 1\b", info))


def floats_are_faster() -> bool:
    """Whether products of floats take less time than those of eight-bit integers.

    They do on x86 with AVX2 and nothing beyond it: 8 products and sums of floats are one
    instruction there, and 32 of integers take three and the scale of each block besides. With
    AVX-512 and VNNI there was no gain for 16 sequences; elsewhere it was not measured.
    """
    has = compiled_for()
    return has >= _AVX2 and not any(name.startswith(_FASTER_INTEGERS) for name in has)
