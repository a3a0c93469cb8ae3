"""The NVIDIA GPUs of this machine, by NVML (the library that comes with their driver)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Gpu:
    """One GPU; memory in bytes."""

    name: str
    memory: int
    free: int


def gpus() -> list[Gpu]:
    """All of them; none where there is no driver."""
    try:
        import pynvml
    except ImportError:
        return []
    return read(pynvml)


def read(nvml: Any) -> list[Gpu]:
    """All GPUs that ``nvml`` (the module ``pynvml``, or what stands for it) tells of."""
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return []
    try:
        found = []
        for number in range(nvml.nvmlDeviceGetCount()):
            handle = nvml.nvmlDeviceGetHandleByIndex(number)
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            name = nvml.nvmlDeviceGetName(handle)
            text = name.decode() if isinstance(name, bytes) else str(name)
            found.append(Gpu(text, int(memory.total), int(memory.free)))
        return found
    except nvml.NVMLError:
        return []
    finally:
        nvml.nvmlShutdown()
