"""The types of tensors that ggml knows: their numbers, names and sizes."""

from __future__ import annotations

from math import prod

from localdistill.errors import ModelError

F32, F16, BF16 = 0, 1, 30  # ggml_type
# Types that llama.cpp writes only with an importance matrix (tensor_requires_imatrix in
# llama-quant.cpp): without one they come out as garbage.
NEED_IMATRIX = {"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS"}


def type_name(kind: int) -> str:
    """The name of a ggml_type, as in ``Q5_0``."""
    from gguf.constants import GGMLQuantizationType

    return str(GGMLQuantizationType(kind).name)


def block_size(kind: int) -> tuple[int, int]:
    """How many values a block of ggml_type ``kind`` has, and how many bytes.

    Raises:
        ModelError: there is no such type.
    """
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    try:
        values, width = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    except (ValueError, KeyError):
        raise ModelError(f"tensor type {kind} is unknown. Take a file of llama.cpp's.") from None
    return int(values), int(width)


def tensor_bytes(where: str, dims: tuple[int, ...], kind: int) -> int:
    """Size in bytes of a tensor of ``dims`` (row length first) in ggml_type ``kind``.

    Raises:
        ModelError: an unknown type, or rows that are not whole blocks; it begins with ``where``.
    """
    try:
        values, width = block_size(kind)
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from error
    if 0 in dims or dims[0] % values:
        raise ModelError(f"{where}: shape {dims} does not fit its type. Make the file again.")
    return prod(dims) // values * width
