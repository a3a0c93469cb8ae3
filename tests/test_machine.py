"""Cores and GPUs, on made-up machines."""

import os
from types import SimpleNamespace

import psutil
import pytest

from localdistill import cores
from localdistill.gpus import Gpu, are_hidden, gpus, read


@pytest.mark.parametrize(
    ("text", "granted"), [("150000 100000\n", 2), ("100000 100000\n", 1), ("max 100000\n", None)]
)
def test_the_share_of_a_container_is_read(tmp_path, text, granted):
    (tmp_path / "cpu.max").write_text(text)
    assert cores.quota(tmp_path / "cpu.max", tmp_path / "none") == granted


@pytest.mark.parametrize(("given", "granted"), [("250000", 3), ("-1", None)])
def test_the_share_of_an_old_control_group_is_read(tmp_path, given, granted):
    (tmp_path / "cpu.cfs_quota_us").write_text(given + "\n")
    (tmp_path / "cpu.cfs_period_us").write_text("100000\n")
    assert cores.quota(tmp_path / "none", tmp_path) == granted


def test_without_control_groups_there_is_no_bound(tmp_path):
    assert cores.quota(tmp_path / "none", tmp_path / "none") is None


@pytest.mark.parametrize(
    ("physical", "allowed", "granted", "usable"),
    [(8, 16, None, 8), (8, 4, None, 4), (8, 16, 2, 2), (None, 6, None, 6), (1, 1, 9, 1)],
)
def test_threads_are_physical_cores_that_may_be_used(
    monkeypatch, physical, allowed, granted, usable
):
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: physical)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(allowed)))
    monkeypatch.setattr(cores, "quota", lambda: granted)
    assert cores.usable_cores() == usable


class Nvml:
    """As the module pynvml, with two GPUs."""

    NVMLError = type("NVMLError", (Exception,), {})

    def __init__(self, broken=False):
        self.broken, self.open = broken, 0

    def nvmlInit(self):
        if self.broken:
            raise self.NVMLError
        self.open += 1

    def nvmlShutdown(self):
        self.open -= 1

    def nvmlDeviceGetCount(self):
        return 2

    def nvmlDeviceGetHandleByIndex(self, number):
        return number

    def nvmlDeviceGetMemoryInfo(self, handle):
        return SimpleNamespace(total=8000 + handle, free=5000 + handle)

    def nvmlDeviceGetName(self, handle):
        return b"old" if handle else "new"

    def nvmlDeviceGetUUID(self, handle):
        return b"GPU-b1" if handle else "GPU-a0"


def test_gpus_are_read_and_the_library_is_closed(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    nvml = Nvml()
    assert read(nvml) == [Gpu("new", 8000, 5000), Gpu("old", 8001, 5001)]
    assert nvml.open == 0


@pytest.mark.parametrize(
    ("wish", "names"),
    [
        ("0", ["new"]), ("1,0", ["old", "new"]), (" 1 ", ["old"]), ("", []), ("-1", []),
        ("0,7,1", ["new"]), ("GPU-zz,0", []), ("GPU-b", ["old"]), ("GPU-a0,GPU-b1", ["new", "old"]),
    ],
)  # fmt: skip
def test_gpus_that_cuda_does_not_see_are_not_reckoned_with(monkeypatch, wish, names):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", wish)
    assert [gpu.name for gpu in read(Nvml())] == names


@pytest.mark.parametrize(("wish", "hidden"), [("", True), ("-1", True), ("0", False)])
def test_a_user_may_hide_all_gpus(monkeypatch, wish, hidden):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", wish)
    assert are_hidden() == hidden


def test_without_a_driver_there_are_none():
    assert read(Nvml(broken=True)) == []
    assert isinstance(gpus(), list)
