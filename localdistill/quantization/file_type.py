"""What a GGUF file says of its quantisation."""

from __future__ import annotations

from localdistill.quantization.gguf_file import GgufFile
from localdistill.quantization.gguf_write import FILE_TYPE

UNKNOWN = "GGUF"


def file_type_of(gguf: GgufFile) -> str:
    """What a GGUF file says of its quantisation, as in ``Q4_K_M``; else ``GGUF``."""
    from gguf.constants import LlamaFileType

    try:
        name = LlamaFileType(gguf.get(FILE_TYPE)).name
    except ValueError:
        return UNKNOWN
    return str(name).removeprefix("MOSTLY_").removeprefix("ALL_")
