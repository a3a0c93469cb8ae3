"""The GGUF of merged weights, made after the file that a run started from.

In its default form the new file is a copy of that one (its *template*) in which only the data of
changed tensors are written over, each in the type that it had: metadata, tokenizer and chat
template are the same bytes, and with nothing changed the files are equal. Weights that were read
from a quantised file keep its scales (``by_chance``). For another type all
matrices are quantised anew from the master weights, and of the metadata only the type changes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from localdistill.errors import ModelError
from localdistill.quantization import ggml_types, names
from localdistill.quantization.by_chance import is_on_grid, rounded, would_be_lost
from localdistill.quantization.codes import has_codes
from localdistill.quantization.gguf_file import GgufFile, TensorInfo, read_header
from localdistill.quantization.gguf_write import (
    FILE_TYPE,
    NewTensor,
    metadata_with_type,
    model_metadata_of,
    write_gguf,
)
from localdistill.quantization.hf_folder import HfFolder
from localdistill.quantization.importance import Means, file_profits, type_profits
from localdistill.quantization.llama_quantize import file_type, least_bits, quantise_file
from localdistill.quantization.safetensors_file import (
    GGML_TYPES,
    StoredTensor,
    chunks,
    decode,
    encode,
)

# Bytes of master weights that are handed to llama.cpp at once: bounds the disk that is needed
# between, and lets progress be seen.
_BATCH = 128 << 20
_QUANTISATION_VERSION = 2  # GGML_QNT_VERSION in ggml.h
# Bits a weight from which on a file holds updates of weights that came from one of fewer bits:
# nine tenths of small ones in Q6_K, a quarter to a half in Q5_K.
_FINE = 6.5


def quantise(
    template: GgufFile,
    weights: HfFolder,
    changed: Iterable[str],
    quant: str,
    out: Path,
    on_tensor: Callable[[str], None] = lambda name: None,
    importance: Means | None = None,
) -> None:
    """Write ``out``: the template with the tensors that ``changed`` (Hugging Face names) replaced.

    ``quant`` is ``same`` or the name of a file type. ``on_tensor`` hears of each tensor of the
    template once its bytes are final. ``importance`` is used where a type profits by it or needs
    it. Files beside ``out`` are used and removed.

    Raises:
        ModelError: a type that cannot be made without an importance matrix.
        ExportRejected: llama.cpp could not quantise.
    """
    told = set(changed)
    names_changed = [name for name in template.tensors if _source(weights, name).name in told]
    if keeps_types(template, quant):
        on_grid = is_on_grid(template, weights, told)
        _replace(template, weights, names_changed, out, on_tensor, importance or {}, on_grid)
    else:
        means = importance if importance and file_profits(quant) else {}
        kind = file_type(quant, with_importance=bool(means))
        _requantise(template, weights, names_changed, kind, out, on_tensor, means)


def keeps_types(template: GgufFile, quant: str) -> bool:
    """Whether ``quant`` means the types that the template has: by ``same``, or by its own name."""
    if quant == "same":
        return True
    return bool(file_type(quant, with_importance=True) == template.get(FILE_TYPE))


def loses_small_updates(template: GgufFile, quant: str) -> bool:
    """Whether an export as ``quant`` rounds much of a training away that began from ``template``.

    From that file alone, that is: its weights are on the grid of its types. From there they go to
    the same types by chance (``by_chance``), where their codes are known, and any finer grid than
    the file's own holds next to all of an update.
    """
    bits = {tensor.type: _bits(tensor.type) for tensor in template.tensors.values()}
    quantised = {kind: each for kind, each in bits.items() if each < 16}
    if keeps_types(template, quant):
        return not all(has_codes(kind) for kind in quantised)
    made = least_bits(quant.upper())
    return bool(quantised) and min(quantised.values()) <= made < _FINE


def _bits(kind: int) -> float:
    values, width = ggml_types.block_size(kind)
    return 8 * width / values


def uses_importance(template: GgufFile, quant: str) -> bool:
    """Whether an importance matrix would make anything of ``quant`` another value."""
    if not keeps_types(template, quant):
        return file_profits(quant)
    return any(type_profits(tensor.type) for tensor in template.tensors.values())


def check_types(template: GgufFile, targets: Iterable[str], with_importance: bool = False) -> None:
    """Refuse early what could not be written back after training.

    ``with_importance``: there will be an importance matrix.

    Raises:
        ModelError: a tensor among ``targets`` (GGUF names) has a type that needs an importance
            matrix.
    """
    for name in targets:
        kind = ggml_types.type_name(template.tensors[name].type)
        if kind in ggml_types.NEED_IMATRIX and not with_importance:
            raise ModelError(
                f"{template.path}: {name!r} is stored as {kind}, which cannot be made without an "
                "importance matrix: give the examples that were trained on (--data), or export "
                "with another type: Q4_K_M, IQ4_XS, Q3_K_M."
            )


def _replace(
    template: GgufFile,
    weights: HfFolder,
    changed: list[str],
    out: Path,
    on_tensor: Callable[[str], None],
    importance: Means,
    on_grid: bool,
) -> None:
    check_types(template, changed, with_importance=bool(importance))
    shutil.copyfile(template.path, out)
    for name in template.tensors.keys() - set(changed):
        on_tensor(name)
    by_chance = {
        name
        for name in changed
        if on_grid
        and has_codes(template.tensors[name].type)
        and would_be_lost(template, template.tensors[name], _source(weights, name))
    }
    with out.open("r+b") as file:
        for name in (name for name in changed if name in by_chance):
            file.seek(template.tensors[name].offset)
            file.writelines(rounded(template, template.tensors[name], _source(weights, name)))
            on_tensor(name)
        for batch in _batches([name for name in changed if name not in by_chance], weights):
            with _Scratch(out) as scratch:
                tensors = [_from_master(template.tensors[name], weights) for name in batch]
                write_gguf(scratch.source, model_metadata_of(template), tensors)
                types = {name: template.tensors[name].type for name in batch}
                means = {
                    name: row
                    for name, row in importance.items()
                    if name in types and type_profits(types[name])
                }
                quantise_file(scratch.source, scratch.result, types=types, importance=means)
                made = read_header(scratch.result)
                for name in batch:
                    _check_same(template.tensors[name], made.tensors[name])
                    file.seek(template.tensors[name].offset)
                    file.writelines(made.chunks(made.tensors[name]))
                    on_tensor(name)


def _requantise(
    template: GgufFile,
    weights: HfFolder,
    changed: list[str],
    kind: int,
    out: Path,
    on_tensor: Callable[[str], None],
    importance: Means,
) -> None:
    """All matrices from the master, in one go: the mixtures count their way through the layers."""
    with _Scratch(out) as scratch:
        tensors = [
            _from_master(tensor, weights)
            if len(tensor.dims) > 1 or tensor.name in changed
            else NewTensor(tensor.name, tensor.dims, tensor.type, partial(template.chunks, tensor))
            for tensor in template.tensors.values()
        ]
        write_gguf(scratch.source, model_metadata_of(template), tensors)
        quantise_file(scratch.source, scratch.result, kind=kind, importance=importance)
        scratch.source.unlink()  # the largest of the files; the last one needs room
        made = read_header(scratch.result)
        # Back into the template's order of tensors.
        final = [
            NewTensor(name, made.tensors[name].dims, made.tensors[name].type, blocks)
            for name in template.tensors
            for blocks in [partial(_told, made, made.tensors[name], on_tensor)]
        ]
        metadata = metadata_with_type(template, kind, _QUANTISATION_VERSION)
        write_gguf(out, metadata, final)


def write_f16(template: GgufFile, weights: HfFolder, changed: Iterable[str], out: Path) -> None:
    """Write ``out``: the template with all matrices in F16, as the master has them.

    What the quantised file is compared with; nothing is quantised for it, and no other file made.
    """
    told = set(changed)
    tensors = [
        NewTensor(tensor.name, tensor.dims, ggml_types.F16, partial(_halves, weights, tensor))
        if len(tensor.dims) > 1
        else NewTensor(tensor.name, tensor.dims, ggml_types.F32, partial(_singles, weights, tensor))
        if names.to_hf(tensor.name) in told or tensor.type != ggml_types.F32
        else NewTensor(tensor.name, tensor.dims, tensor.type, partial(template.chunks, tensor))
        for tensor in template.tensors.values()
    ]
    kind = file_type("F16")
    write_gguf(out, metadata_with_type(template, kind, _QUANTISATION_VERSION), tensors)


def _halves(weights: HfFolder, tensor: TensorInfo) -> Iterator[bytes]:
    stored = _source(weights, tensor.name)
    for block in chunks(stored):
        yield block if stored.dtype == "F16" else encode(decode(block, stored.dtype), "F16")


def _singles(weights: HfFolder, tensor: TensorInfo) -> Iterator[bytes]:
    stored = _source(weights, tensor.name)
    for block in chunks(stored):
        yield decode(block, stored.dtype).tobytes()


def _told(gguf: GgufFile, tensor: TensorInfo, on_tensor: Callable[[str], None]) -> Iterator[bytes]:
    yield from gguf.chunks(tensor)
    on_tensor(tensor.name)


def _from_master(tensor: TensorInfo, weights: HfFolder) -> NewTensor:
    stored = _source(weights, tensor.name)
    return NewTensor(tensor.name, tensor.dims, GGML_TYPES[stored.dtype], partial(chunks, stored))


def _source(weights: HfFolder, name: str) -> StoredTensor:
    """What GGUF tensor ``name`` is made of, which was seen to be there (``check_pair``)."""
    stored = weights.source_of(name)
    if stored is None:
        message = f"{weights.path}: has nothing to make {name!r} of"
        raise ModelError(f"{message}. Give the folder that the file was made from.")
    return stored


def _batches(changed: list[str], weights: HfFolder) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for name in changed:
        width = _source(weights, name).size
        if batch and size + width > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append(name)
        size += width
    if batch:
        yield batch


def _check_same(wanted: TensorInfo, made: TensorInfo) -> None:
    if (wanted.type, wanted.dims, wanted.size) != (made.type, made.dims, made.size):
        raise AssertionError(f"{wanted.name}: asked for type {wanted.type}, got {made.type}")


class _Scratch:
    """The two files between master and result, gone at the end."""

    def __init__(self, out: Path) -> None:
        self.source = out.with_name(out.name + ".source")
        self.result = out.with_name(out.name + ".quantised")

    def __enter__(self) -> _Scratch:
        return self

    def __exit__(self, *failure: object) -> None:
        self.source.unlink(missing_ok=True)
        self.result.unlink(missing_ok=True)
