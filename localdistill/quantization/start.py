"""What a run starts from: a GGUF file to sample with, and its weights in 16 bits to train.

Either can be given, and the other is made of it, once; a folder that holds both is used as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from localdistill.errors import ModelError
from localdistill.quantization.convert import DEFAULT_QUANT, convert
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.gguf_import import dequantise
from localdistill.quantization.hf_folder import has_weights, read_folder
from localdistill.quantization.pairing import check_pair


@dataclass(frozen=True)
class StartingPoint:
    """One model in both of its forms."""

    gguf: Path
    master: Path  # Hugging Face folder


def resolve_start(
    model: Path,
    work_dir: Path,
    quant: str = DEFAULT_QUANT,
    on_tensor: Callable[[str], None] = lambda name: None,
) -> StartingPoint:
    """Find or make both forms of ``model``; what is made goes into ``work_dir``.

    ``quant`` is the type of a GGUF file that has to be made. ``on_tensor`` hears of each tensor
    that is made of a GGUF file.

    Raises:
        ModelError: ``model`` is missing, damaged, of an unsupported kind, or two different models.
        MissingDependency: llama.cpp's converter is needed and not installed.
    """
    gguf = find_gguf(model)
    if gguf is not None and (model.is_file() or not has_weights(model)):
        return StartingPoint(gguf, dequantise(gguf, work_dir / "master", on_tensor))
    master = read_folder(model)
    gguf = gguf or convert(master, work_dir / "model.gguf", quant)
    check_pair(read_header(gguf), master)
    return StartingPoint(gguf, model)


def find_gguf(model: Path) -> Path | None:
    """The GGUF file that ``model`` is or holds, if any.

    Raises:
        ModelError: there is no ``model``, or it holds several.
    """
    if not model.exists():
        raise ModelError(f"{model}: there is no such file or folder. Give a GGUF file or a folder.")
    if model.is_file():
        return model
    files = sorted(model.glob("*.gguf"))
    if len(files) > 1:
        listed = ", ".join(file.name for file in files)
        raise ModelError(f"{model}: holds several GGUF files ({listed}). Give one of them.")
    return files[0] if files else None
