"""What is in use on this machine now: memory, and that of its GPUs where NVML tells of them."""

from __future__ import annotations

import importlib
from typing import Any

from localdistill import memory
from localdistill.events import GpuUsage, Usage


class Gauges:
    """Looks again and again; the driver's library is opened once, which takes a moment.

    ``nvml`` is the module ``pynvml``, or what stands for it; None: that, if it is there.
    """

    def __init__(self, nvml: Any = None) -> None:
        self._nvml: Any = None
        self._gpus: list[Any] = []
        try:
            found = nvml or importlib.import_module("pynvml")
        except ImportError:
            return
        try:
            found.nvmlInit()
            count = found.nvmlDeviceGetCount()
            self._gpus = [found.nvmlDeviceGetHandleByIndex(number) for number in range(count)]
        except found.NVMLError:
            return
        self._nvml = found

    def read(self) -> Usage:
        """What is in use; no GPUs where there are none any more."""
        total = memory.total_bytes()
        return Usage(
            memory_used=max(0, total - memory.available_bytes()),
            memory_total=total,
            gpus=tuple(self._read_gpus()),
        )

    def _read_gpus(self) -> list[GpuUsage]:
        nvml = self._nvml
        if nvml is None:
            return []
        try:
            found = []
            for gpu in self._gpus:
                held = nvml.nvmlDeviceGetMemoryInfo(gpu)
                busy = self._busy(gpu)
                used, total = int(held.used), int(held.total)
                found.append(GpuUsage(memory_used=used, memory_total=total, busy=busy))
            return found
        except nvml.NVMLError:
            return []

    def _busy(self, gpu: Any) -> float | None:
        try:
            return float(self._nvml.nvmlDeviceGetUtilizationRates(gpu).gpu) / 100
        except self._nvml.NVMLError:  # some do not tell
            return None
