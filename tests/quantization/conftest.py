"""A tiny Qwen model in both of its forms, written without torch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.quantization.tiny import Tiny, quantised


@pytest.fixture(params=["qwen2", "qwen3"])
def tiny(request, tmp_path: Path) -> Tiny:
    """An unquantised model of each architecture."""
    return Tiny.write(tmp_path / "tiny", request.param)


@pytest.fixture
def q4(tmp_path: Path) -> Tiny:
    """A Qwen3 model whose GGUF is Q4_K_M."""
    return quantised(Tiny.write(tmp_path / "tiny", "qwen3"), "Q4_K_M")
