"""How much a stage will write, from its request: so that it is not begun without the room."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path

from pydantic import BaseModel

from localdistill import disk_use
from localdistill.errors import UserError
from localdistill.markers import is_done
from localdistill.quantization import ggml_types
from localdistill.quantization.folder_write import partial
from localdistill.quantization.gguf_file import GgufFile, read_header
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.llama_quantize import least_bits
from localdistill.quantization.quantise import keeps_types
from localdistill.quantization.start import adapter_bytes
from localdistill.stages.export import ExportRequest
from localdistill.stages.generate import GenerateRequest
from localdistill.stages.text_room import side_by_side, to_come
from localdistill.stages.train import TrainRequest
from localdistill.stages.verify import VerifyRequest


def need(request: BaseModel, before: Sequence[Path] = ()) -> int:
    """Bytes that a stage will write beside records; 0 where that is next to nothing.

    What an earlier call has left there of it is not counted, and what cannot be used counts as
    nothing: the stage itself says so better. ``before``: see ``text_room``.
    """
    try:
        if isinstance(request, TrainRequest):
            adapter = adapter_bytes(read_folder(request.model), request.rank)
            there = request.out.with_name(request.out.name + ".checkpoints")
            return _without(adapter + disk_use.checkpoints(adapter), there)
        if isinstance(request, ExportRequest):
            return _export(request)
        return to_come(request, before)
    except (OSError, UserError):
        return 0


def together(generate: GenerateRequest, verify: VerifyRequest, before: Sequence[Path] = ()) -> int:
    """As ``need``, of both where one tests what the other draws, as it comes."""
    try:
        return side_by_side(generate, verify, before)
    except OSError:
        return 0


def weights(master: Path) -> int:
    """Bytes of the weights in folder ``master``.

    Raises:
        ModelError: the folder cannot be used.
    """
    return sum(tensor.size for tensor in read_folder(master).tensors.values())


def _export(request: ExportRequest) -> int:
    master = weights(request.master)
    merged = 0 if is_done(request.merged) else master
    template = read_header(request.template)
    file, is_f16 = _file(request, template)
    # It is compared with one in 16 bits, unless it is that itself.
    written = merged + file + (0 if is_f16 else master)
    unfinished = partial(request.out)
    halves = unfinished.with_name(unfinished.name + ".f16")
    return _without(written, partial(request.merged), unfinished, halves)


def _file(request: ExportRequest, template: GgufFile) -> tuple[int, bool]:
    """Bytes of the file, and whether all of its matrices have 16 bits.

    Of another type than its template's it has at least so many.
    """
    tensors = template.tensors.values()
    if keeps_types(template, request.quant):
        matrices = {tensor.type for tensor in tensors if len(tensor.dims) > 1}
        return request.template.stat().st_size, matrices == {ggml_types.F16}
    quant = request.quant.upper()
    bits = sum(prod(tensor.dims) for tensor in tensors) * least_bits(quant)
    return int(bits / 8), quant == "F16"


def _without(amount: int, *left: Path) -> int:
    """``amount`` less what a call that was killed has ``left``: it is gone on with, or replaced."""
    files = [file for path in left for file in (path, *path.rglob("*")) if file.is_file()]
    return max(0, amount - sum(file.stat().st_size for file in files))
