"""A GGUF file is read to the byte, and a damaged one is refused in one line."""

from __future__ import annotations

import struct

import gguf
import numpy as np
import pytest

from localdistill.errors import ModelError
from localdistill.quantization import ggml, ggml_types
from localdistill.quantization.gguf_file import read_header
from tests.quantization.tiny import Tiny, quantised


def test_agrees_with_the_gguf_package(q4):
    ours, theirs = read_header(q4.gguf), gguf.GGUFReader(q4.gguf)
    assert list(ours.tensors) == [tensor.name for tensor in theirs.tensors]
    for tensor in theirs.tensors:
        found = ours.tensors[tensor.name]
        assert (found.offset, found.size) == (tensor.data_offset, tensor.n_bytes)
        assert found.type == tensor.tensor_type
        assert b"".join(ours.chunks(found, limit=1000)) == tensor.data.tobytes()
    assert ours.need("tokenizer.ggml.eos_token_id") == 264
    assert ours.data_start == theirs.data_offset


@pytest.mark.parametrize("quant", ["Q4_0", "Q4_1", "Q5_0", "Q5_K_M", "Q8_0", "Q2_K", "IQ4_XS"])
def test_values_are_those_of_the_gguf_package(tmp_path, quant):
    path = quantised(Tiny.write(tmp_path / "tiny", "qwen3"), quant).gguf
    ours = read_header(path)
    for tensor in gguf.GGUFReader(path).tensors:
        expected = gguf.quants.dequantize(tensor.data, tensor.tensor_type).ravel()
        values = np.concatenate([piece for _, piece in ggml.slabs(ours, ours.tensors[tensor.name])])
        # One rounding of float32 apart, where the two multiply in another order.
        np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", [ggml_types.F16, ggml_types.BF16])
def test_16_bits_round_to_nearest_even(kind):
    import torch

    values = np.random.default_rng(0).standard_normal(100_003).astype(np.float32) * 1e-3
    dtype = {ggml_types.F16: torch.float16, ggml_types.BF16: torch.bfloat16}[kind]
    expected = torch.from_numpy(values).to(dtype)
    block = ggml.to_16_bits(values, kind)
    assert block == expected.view(torch.int16).numpy().tobytes()
    assert np.array_equal(ggml.to_float32(kind, block), expected.float().numpy())


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(q4, share):
    whole = q4.gguf.read_bytes()
    q4.gguf.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelError) as refusal:
        read_header(q4.gguf)
    assert str(q4.gguf) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "only 0 bytes"),
        (np.random.default_rng(0).bytes(5000), "does not begin with"),
        (b"PK\x03\x04" + bytes(100), "does not begin with"),
        (b"GGUF" + np.random.default_rng(1).bytes(5000), "version"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0) + bytes(64), "promises"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**40) + bytes(64), "promises"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**62) + bytes(64), "past its end"),
    ],
)
def test_what_is_not_gguf_is_refused(tmp_path, content, said):
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=said):
        read_header(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        read_header(tmp_path / "none.gguf")


def test_damage_anywhere_in_the_header_is_refused_or_read(q4):
    """A changed byte may go unseen, but never leads outside the file or to another error."""
    whole = bytearray(q4.gguf.read_bytes())
    header = read_header(q4.gguf)
    rng = np.random.default_rng(3)
    positions = [*range(header.kv_start), *rng.integers(0, header.data_start, 400).tolist()]
    for at in positions:
        damaged = bytearray(whole)
        damaged[at] ^= int(rng.integers(1, 256))
        q4.gguf.write_bytes(damaged)
        try:
            read = read_header(q4.gguf)
        except ModelError:
            continue
        ends = [tensor.offset + tensor.size for tensor in read.tensors.values()]
        assert max(ends, default=0) <= len(whole)


def test_a_part_of_a_split_model_is_refused(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "part.gguf", "qwen2")
    writer.add_uint16("split.count", 3)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(ModelError, match="gguf-split --merge"):
        read_header(tmp_path / "part.gguf")
