"""The NVIDIA GPUs of this machine, by NVML (the library that comes with their driver)."""

from __future__ import annotations

import os
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
    """The GPUs that ``nvml`` (the module ``pynvml``, or what stands for it) tells of.

    Without those that ``CUDA_VISIBLE_DEVICES`` hides from CUDA. Its numbers are taken for NVML's
    (the bus's order): CUDA's own are the same where all GPUs are alike, or with
    ``CUDA_DEVICE_ORDER=PCI_BUS_ID``.
    """
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return []
    try:
        found = []
        every = [nvml.nvmlDeviceGetHandleByIndex(n) for n in range(nvml.nvmlDeviceGetCount())]
        for handle in _visible(nvml, every, os.environ.get("CUDA_VISIBLE_DEVICES")):
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            name = nvml.nvmlDeviceGetName(handle)
            text = name.decode() if isinstance(name, bytes) else str(name)
            found.append(Gpu(text, int(memory.total), int(memory.free)))
        return found
    except nvml.NVMLError:
        return []
    finally:
        nvml.nvmlShutdown()


def _visible(nvml: Any, every: list[Any], wish: str | None) -> list[Any]:
    """Those of ``every`` that ``wish`` names by number or (the beginning of) their UUID.

    As CUDA reads it: what follows a name that is none is not visible either.
    """
    if wish is None:
        return every
    found: list[Any] = []
    for name in (part.strip() for part in wish.split(",")):
        if name.isdigit() and int(name) < len(every):
            found.append(every[int(name)])
        elif name.startswith("MIG-"):  # a part of one, which NVML knows by its own name
            found.append(nvml.nvmlDeviceGetHandleByUUID(name))
        else:
            named = [each for each in every if _uuid(nvml, each).startswith(name or "-")]
            if not named:
                break
            found.append(named[0])
    return found


def are_hidden() -> bool:
    """Whether CUDA is told to see none, so that the processor does the work."""
    wish = os.environ.get("CUDA_VISIBLE_DEVICES")
    return wish is not None and wish.split(",")[0].strip() in ("", "-1", "NoDevFiles")


def _uuid(nvml: Any, handle: Any) -> str:
    uuid = nvml.nvmlDeviceGetUUID(handle)
    return uuid.decode() if isinstance(uuid, bytes) else str(uuid)
