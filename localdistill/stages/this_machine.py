"""The size of a generation on the machine that this process runs on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from localdistill import memory
from localdistill.backends.llama_memory import ModelShape
from localdistill.gpus import Gpu, gpus
from localdistill.stages.sizing import Sizing, Task, choose


def offloads() -> bool:
    """Whether llama.cpp was built to use a GPU, of whatever kind."""
    from localdistill.backends.llama_model import bindings

    return bool(bindings().llama_supports_gpu_offload())


def choose_here(
    shape: ModelShape,
    task: Task,
    *,
    found: Callable[[], Sequence[Gpu]] = gpus,
    offload: Callable[[], bool] = offloads,
    available: Callable[[], int] = memory.available_bytes,
) -> Sizing:
    """``choose`` with what is free now.

    A GPU that NVML does not know (of another maker, or one that shares the machine's memory) gets
    all layers, as llama.cpp does by default, and all memory is counted as the machine's own.

    Raises:
        MemoryShortage: see ``choose``.
    """
    if not offload():
        return choose(shape, replace(task, gpu_layers=0), free=available())
    known = found()
    if not known and task.gpu_layers is None:
        task = replace(task, gpu_layers=-1)
    return choose(shape, task, free=available(), gpus=known)
