"""What a run starts from: a GGUF file to sample with, and its weights in 16 bits to train.

Either can be given, and the other is made of it, once; a folder that holds both is used as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path

from localdistill.errors import ModelError
from localdistill.quantization import names
from localdistill.quantization.convert import DEFAULT_QUANT, convert, converter, quant_of_start
from localdistill.quantization.gguf_file import GgufFile, read_header
from localdistill.quantization.gguf_import import check_importable, dequantise
from localdistill.quantization.hf_folder import HfFolder, has_weights, read_folder
from localdistill.quantization.llama_quantize import least_bits
from localdistill.quantization.pairing import check_pair
from localdistill.quantization.quantise import check_types, keeps_types


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


@dataclass(frozen=True)
class Outlook:
    """What a model will take, in bytes, known from headers alone."""

    gguf: int  # the file that is sampled; of one that is yet to be made, a lower bound
    master: int  # the 16-bit weights that are trained
    master_is_there: bool


def inspect(model: Path, quant: str = "same") -> Outlook:
    """Check all that ``resolve_start`` and a later export would refuse, without writing anything.

    ``quant`` is the type that will be exported to.

    Raises:
        ModelError: ``model`` is missing, damaged, of an unsupported kind, or two different models.
        MissingDependency: llama.cpp's converter is needed and not installed.
    """
    gguf_path = find_gguf(model)
    with_folder = model.is_dir() and has_weights(model)
    header = None
    if gguf_path is not None:
        header = read_header(gguf_path)
        names.check_architecture(header.architecture, gguf_path)
        for name in header.tensors:
            names.to_hf(name)
        check_template(header)
        if keeps_types(header, quant):
            # A run has examples to take an importance matrix from.
            trained = [name for name in header.tensors if is_trained(name)]
            check_types(header, trained, with_importance=True)
    if with_folder or header is None:
        master = read_folder(model)
        if header is not None:
            check_pair(header, master)
        else:
            if not (model / "tokenizer.json").is_file():
                raise ModelError(f"{model}: has no tokenizer.json. Fetch the folder again.")
            converter()
        sizes = {names.to_gguf(name): prod(t.shape) for name, t in master.tensors.items()}
        stored = sum(tensor.size for tensor in master.tensors.values())
    else:
        check_importable(header)
        sizes = {name: prod(tensor.shape) for name, tensor in header.tensors.items()}
        stored = 2 * sum(sizes.values())
    made = int(sum(sizes.values()) * least_bits(quant_of_start(quant)) / 8)
    return Outlook(
        gguf=sum(t.size for t in header.tensors.values()) if header is not None else made,
        master=stored,
        master_is_there=with_folder,
    )


def is_trained(name: str) -> bool:
    """Whether GGUF tensor ``name`` is the matrix of a linear layer, which an adapter changes."""
    return name.startswith("blk.") and name.endswith(".weight") and "norm" not in name


def adapter_bytes(master: HfFolder, rank: int) -> int:
    """Bytes of an adapter of the weights in ``master``, in 32 bits."""
    # A is (rank, columns), B is (rows, rank).
    shapes = {names.to_gguf(name): tensor.shape for name, tensor in master.tensors.items()}
    return sum(4 * rank * sum(shapes[name]) for name in shapes if is_trained(name))


def check_template(gguf: GgufFile) -> None:
    """Make sure that prompts can be rendered.

    Raises:
        ModelError: the file has no chat template.
    """
    if not gguf.get("tokenizer.chat_template"):
        raise ModelError(
            f"{gguf.path}: has no chat template. Take an instruct model, or add a template with "
            "gguf's `gguf-new-metadata --chat-template-file`."
        )


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
        if all(re.search(r"-\d{5}-of-\d{5}\.gguf$", file.name) for file in files):
            raise ModelError(
                f"{model}: holds a model split into parts. Join them first: "
                f"llama-gguf-split --merge {files[0].name} WHOLE.gguf"
            )
        raise ModelError(f"{model}: holds several GGUF files ({listed}). Give one of them.")
    if not files and not (model / "config.json").is_file():
        raise ModelError(
            f"{model}: holds no model. Give a GGUF file, or a Hugging Face folder "
            "(config.json, tokenizer.json and *.safetensors)."
        )
    return files[0] if files else None
