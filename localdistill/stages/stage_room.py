"""How much a stage will write, from its request: so that it is not begun without the room."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from localdistill import disk_use
from localdistill.errors import ModelError
from localdistill.jsonl import is_done
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.names import to_gguf
from localdistill.quantization.start import is_trained
from localdistill.stages.export import ExportRequest
from localdistill.stages.train import TrainRequest


def need(request: BaseModel) -> int:
    """Bytes that a stage will write beside rows and records; 0 where that is next to nothing.

    What cannot be used counts as nothing: the stage itself says so better.
    """
    try:
        if isinstance(request, TrainRequest):
            adapter = adapter_bytes(request.model, request.rank)
            return adapter + disk_use.checkpoints(adapter)
        if isinstance(request, ExportRequest):
            master = weights(request.master)
            merged = 0 if is_done(request.merged) else master
            # The file, and the one in 16 bits that it is compared with.
            return merged + request.template.stat().st_size + master
    except (OSError, ModelError):
        return 0
    return 0


def adapter_bytes(master: Path, rank: int) -> int:
    """Bytes of an adapter of the weights in folder ``master``, in 32 bits.

    Raises:
        ModelError: the folder cannot be used.
    """
    # A is (rank, columns), B is (rows, rank).
    shapes = {to_gguf(name): t.shape for name, t in read_folder(master).tensors.items()}
    return sum(4 * rank * sum(shapes[name]) for name in shapes if is_trained(name))


def weights(master: Path) -> int:
    """Bytes of the weights in folder ``master``.

    Raises:
        ModelError: the folder cannot be used.
    """
    return sum(tensor.size for tensor in read_folder(master).tensors.values())
