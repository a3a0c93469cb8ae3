"""Memory of a training on a CPU: what is copied out of a mapped file, and what is not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from localdistill.trainers import allocator

torch = pytest.importorskip("torch")


def test_vectors_leave_the_file_and_matrices_stay(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(64))
    mapped = torch.from_file(str(path), shared=False, size=16, dtype=torch.float32)
    layer = torch.nn.Linear(2, 4)
    layer.weight.data, layer.bias.data = mapped[:8].view(4, 2), mapped[8:12]
    bias = layer.bias
    allocator.leave_file(layer)
    assert layer.bias is bias  # the parameter is the same one, with another place
    assert torch.equal(layer.bias, torch.zeros(4))
    begin, end = mapped.data_ptr(), mapped.data_ptr() + 64
    assert not begin <= layer.bias.data_ptr() < end
    assert begin <= layer.weight.data_ptr() < end


# In a process of its own: what other tests have started takes memory as well.
_GROWTH = """
import resource
from pathlib import Path

import torch

from localdistill.trainers import allocator

allocator.give_back_large()
held = []

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

def one_more():  # a small piece after each large one keeps the heap from shrinking
    large = torch.ones(2 * allocator.APART // 4)
    held.append(torch.ones(1000))
    del large

one_more()  # what the first one loads stays
before = resident()
for _ in range(20):
    one_more()
print(resident() - before)
"""


def test_large_pieces_are_given_back():
    command = [sys.executable, "-c", _GROWTH]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 4 * allocator.APART
