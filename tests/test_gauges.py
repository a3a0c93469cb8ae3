"""What is in use on the machine, on made-up machines."""

from types import SimpleNamespace

import pytest

from localdistill import memory
from localdistill.gauges import Gauges
from localdistill.memory import cgroup_limits


class Nvml:
    """As the module pynvml, with two GPUs, of which the second does not tell how busy it is."""

    NVMLError = type("NVMLError", (Exception,), {})

    def __init__(self):
        self.lost = self.missing = False
        self.opened = 0

    def nvmlInit(self):
        if self.missing:
            raise self.NVMLError
        self.opened += 1

    def nvmlDeviceGetCount(self):
        return 2

    def nvmlDeviceGetHandleByIndex(self, number):
        return number

    def nvmlDeviceGetMemoryInfo(self, handle):
        if self.lost:
            raise self.NVMLError
        return SimpleNamespace(total=8000, used=3000 + handle)

    def nvmlDeviceGetUtilizationRates(self, handle):
        if handle:
            raise self.NVMLError
        return SimpleNamespace(gpu=97)


@pytest.fixture(autouse=True)
def bytes_of_memory(monkeypatch):
    monkeypatch.setattr(memory, "total_bytes", lambda: 1000)
    monkeypatch.setattr(memory, "available_bytes", lambda: 300)


def test_memory_and_gpus_are_read_again_and_again_by_one_library():
    nvml = Nvml()
    gauges = Gauges(nvml)
    for _ in range(3):
        usage = gauges.read()
    assert (usage.memory_used, usage.memory_total) == (700, 1000)
    assert [(gpu.memory_used, gpu.memory_total, gpu.busy) for gpu in usage.gpus] == [
        (3000, 8000, 0.97),
        (3001, 8000, None),
    ]
    assert nvml.opened == 1


def test_a_gpu_that_is_lost_is_left_out():
    nvml = Nvml()
    gauges = Gauges(nvml)
    nvml.lost = True
    assert gauges.read().gpus == ()


def test_without_a_driver_there_are_no_gpus():
    nvml = Nvml()
    nvml.missing = True
    assert Gauges(nvml).read().gpus == ()


def test_a_container_has_its_own_total(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "memory.max").write_text("max\n")
    (tmp_path / "a" / "b" / "memory.max").write_text("4096\n")
    membership = tmp_path / "cgroup"
    membership.write_text("0::/a/b\n")
    assert list(cgroup_limits(tmp_path, membership)) == [4096]
