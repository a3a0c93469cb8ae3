"""What benchmarks/export.py says of the bits: whether they are right, and where they are not."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.merge import merge
from localdistill.quantization.quantise import quantise
from tests.quantization.tiny import Tiny

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def checks(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import export_checks

    yield export_checks
    sys.modules.pop("export_checks")


@pytest.fixture
def work(tmp_path) -> dict[str, str]:
    """Both have made the same; the peer's file is that of our own code."""
    model = Tiny.write(tmp_path / "tiny", "qwen3")
    adapter = model.write_adapter(tmp_path / "adapter", 0.05, ("q_proj", "up_proj"))
    ours, peer = tmp_path / "ours", tmp_path / "peer"
    for folder in (ours, peer):
        folder.mkdir()
    changed = merge(model.master, adapter, ours / "merged", {})
    merged = read_folder(ours / "merged")
    quantise(read_header(model.gguf), merged, changed, "F16", peer / "f16.gguf")
    paths = {"template": model.gguf, "master": model.master, "adapter": adapter}
    return {name: str(path) for name, path in {**paths, "ours": ours, "peer": peer}.items()}


def spoil(path: Path, name: str, add: int) -> None:
    """Move the first value of a tensor by so many representable numbers."""
    tensor = read_header(path).tensors[name]
    raw = bytearray(path.read_bytes())
    bits = np.frombuffer(raw, np.uint16, 1, tensor.offset)[0]
    raw[tensor.offset : tensor.offset + 2] = np.uint16(bits + add).tobytes()
    path.write_bytes(raw)


def test_equal_files_are_told_to_be(checks, work):
    found = checks.compare(work)
    assert found["unchanged_that_differ"] == []
    assert found["roundings_from_peer"] == 0
    assert found["roundings_from_float64"] <= 1
    assert found["changed_tensors"] == 4


def test_what_differs_is_told(checks, work):
    path = Path(work["peer"]) / "f16.gguf"
    spoil(path, "blk.0.attn_q.weight", 3)
    spoil(path, "blk.0.attn_k.weight", 1)
    found = checks.compare(work)
    assert found["roundings_from_peer"] == 3
    assert found["unchanged_that_differ"] == ["blk.0.attn_k.weight"]


def test_distances_are_counted_across_zero(checks):
    bits = np.array([0.0, -0.0, 5.9604645e-08, -5.9604645e-08, 1.0], np.float16).view(np.uint16)
    assert checks._steps(bits[:1], bits[1:2]) == 0
    assert checks._steps(bits[2:3], bits[3:4]) == 2
    assert checks._steps(bits[4:], bits[4:] + 1) == 1
