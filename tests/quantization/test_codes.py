"""Codes are read and put back where ggml has them."""

from __future__ import annotations

import numpy as np
import pytest
from gguf.constants import GGMLQuantizationType as Type

from localdistill.quantization import ggml
from localdistill.quantization.codes import has_codes, highest, read_codes, with_codes
from localdistill.quantization.ggml_types import block_size
from localdistill.quantization.gguf_file import read_header
from tests.quantization.tiny import Tiny, quantised

TYPES = [
    Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0, Type.Q2_K, Type.Q3_K, Type.Q4_K,
    Type.Q5_K, Type.Q6_K,
]  # fmt: skip


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.name)
def test_any_codes_come_back_and_nothing_else_is_touched(kind):
    random = np.random.default_rng(0)
    data = random.integers(0, 256, 8 * block_size(kind)[1], dtype=np.uint8).tobytes()
    codes = read_codes(kind, data)
    assert with_codes(kind, data, codes) == data
    assert codes.min() >= 0 and codes.max() <= highest(kind)
    others = random.integers(0, highest(kind) + 1, codes.shape, dtype=np.int16)
    changed = with_codes(kind, data, others)
    assert np.array_equal(read_codes(kind, changed), others)
    assert with_codes(kind, changed, codes) == data


@pytest.mark.parametrize(
    "quant", ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K"]
)
def test_weights_grow_by_a_step_of_ggmls_from_code_to_code(tmp_path, quant):
    gguf = read_header(quantised(Tiny.write(tmp_path / "tiny", "qwen3"), quant).gguf)
    seen = set()
    for tensor in gguf.tensors.values():
        if not has_codes(tensor.type):
            continue
        seen.add(tensor.type)
        data, values = next(iter(ggml.slabs(gguf, tensor)))
        codes = read_codes(tensor.type, data)
        at = [
            ggml.to_float32(tensor.type, with_codes(tensor.type, data, np.full_like(codes, code)))
            for code in (0, 1)
        ]
        expected = at[0] + codes.ravel() * (at[1] - at[0])
        assert np.allclose(values, expected, rtol=1e-4, atol=1e-4 * np.abs(values).max())
    assert seen and seen <= set(TYPES)


def test_types_whose_steps_differ_are_not_among_them():
    assert not has_codes(Type.IQ4_NL) and not has_codes(Type.F16)
