"""What an importance matrix does to a quantised file, and the F16 file that it is compared with."""

from __future__ import annotations

import numpy as np
import pytest

from localdistill.errors import ModelError
from localdistill.quantization import ggml, names
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.importance import Importance, file_profits, type_profits
from localdistill.quantization.llama_quantize import (
    FILE_TYPES,
    IMPORTANCE_TYPES,
    file_type,
    quantise_file,
)
from localdistill.quantization.quantise import quantise, uses_importance, write_f16
from localdistill.quantization.reference import Reference
from tests.quantization.tiny import FEED, WIDTH, Tiny, quantised

NAME = "blk.0.ffn_down.weight"


@pytest.fixture
def uneven() -> dict[str, np.ndarray]:
    """Every eighth input of a layer's matrices counts ten thousand times as much as the others."""
    means = {}
    for layer in range(2):
        for part, width in (("ffn_down", FEED), ("ffn_up", WIDTH), ("attn_q", WIDTH)):
            means[f"blk.{layer}.{part}.weight"] = np.full(width, 1e-2, dtype=np.float32)
            means[f"blk.{layer}.{part}.weight"][::8] = 1e2
    return means


def weights(path, name=NAME):
    gguf = read_header(path)
    tensor = gguf.tensors[name]
    return np.concatenate([piece for _, piece in ggml.slabs(gguf, tensor)]).reshape(tensor.shape)


def raw(path, name):
    gguf = read_header(path)
    return b"".join(gguf.chunks(gguf.tensors[name]))


@pytest.mark.parametrize("quant", ["Q4_K_M", "Q2_K", "IQ4_XS"])
def test_the_columns_that_count_come_out_nearer(tmp_path, uneven, quant):
    tiny = Tiny.write(tmp_path / "tiny", "qwen3")
    folder, template = read_folder(tiny.master), read_header(tiny.gguf)
    plain, weighed = tmp_path / "plain.gguf", tmp_path / "weighed.gguf"
    quantise(template, folder, [], quant, plain)
    quantise(template, folder, [], quant, weighed, importance=uneven)
    assert file_profits(quant)
    exact = tiny.weights()[names.to_hf(NAME)].astype(np.float32)
    error = {path: np.square(weights(path) - exact)[:, ::8].mean() for path in (plain, weighed)}
    assert error[weighed] < 0.6 * error[plain]
    # What no importance is known of is quantised as before.
    assert raw(plain, "blk.0.attn_v.weight") == raw(weighed, "blk.0.attn_v.weight")


def test_only_changed_tensors_are_written_with_it(tmp_path, uneven):
    tiny = quantised(Tiny.write(tmp_path / "tiny", "qwen3"), "Q4_K_M")
    template, folder = read_header(tiny.gguf), read_folder(tiny.master)
    out = tmp_path / "out.gguf"
    quantise(template, folder, [names.to_hf(NAME)], "same", out, importance=uneven)
    assert raw(out, NAME) != raw(tiny.gguf, NAME)
    for name in template.tensors:
        assert name == NAME or raw(out, name) == raw(tiny.gguf, name)
    quantise(template, folder, [], "same", out, importance=uneven)
    assert out.read_bytes() == tiny.gguf.read_bytes()


def test_it_is_taken_where_it_is_of_use_only(tmp_path):
    base = Tiny.write(tmp_path / "tiny", "qwen3")
    plain, mixed = (read_header(quantised(base, quant).gguf) for quant in ("Q8_0", "Q4_K_M"))
    assert [uses_importance(plain, quant) for quant in ("same", "Q8_0", "Q4_K_M", "Q3_K_S")] == [
        False, False, True, False,
    ]  # fmt: skip
    assert uses_importance(mixed, "same") and not uses_importance(mixed, "F16")


@pytest.mark.parametrize("quant", ["Q8_0", "F16"])
def test_types_that_do_not_profit_are_made_without(tmp_path, uneven, quant):
    tiny = Tiny.write(tmp_path / "tiny", "qwen3")
    template, folder = read_header(tiny.gguf), read_folder(tiny.master)
    plain, weighed = tmp_path / "plain.gguf", tmp_path / "weighed.gguf"
    quantise(template, folder, [], quant, plain)
    quantise(template, folder, [], quant, weighed, importance=uneven)
    assert not file_profits(quant)
    assert plain.read_bytes() == weighed.read_bytes()


@pytest.mark.real
@pytest.mark.parametrize("quant", ["IQ3_M", "Q2_K_S", "IQ2_XS"])  # all take too long here
def test_types_below_are_made_with_one_and_refused_without(tmp_path, quant):
    tiny = Tiny.write(tmp_path / "tiny", "qwen3")
    template, folder = read_header(tiny.gguf), read_folder(tiny.master)
    found = Importance()
    Reference(folder).hidden([list(range(200))], found, counted=1)
    out = tmp_path / "out.gguf"
    with pytest.raises(ModelError, match="needs an importance matrix: give --data"):
        quantise(template, folder, [], quant, out)
    quantise(template, folder, [], quant, out, importance=found.means())
    made = read_header(out)
    assert made.get("general.file_type") == file_type(quant, with_importance=True)
    assert made.size < read_header(quantised(tiny, "Q4_K_M").gguf).size
    # And once it is there, training can be written back into it.
    again = tmp_path / "again.gguf"
    quantise(made, folder, [names.to_hf(NAME)], "same", again, importance=found.means())
    assert raw(again, NAME) == raw(out, NAME)


def test_every_type_is_said_to_profit_or_not():
    from gguf.constants import GGMLQuantizationType as Kind

    assert [type_profits(int(kind)) for kind in (Kind.Q4_K, Kind.IQ2_XS)] == [True, True]
    assert [type_profits(int(kind)) for kind in (Kind.Q8_0, Kind.F16)] == [False, False]
    assert all(file_profits(quant) for quant in IMPORTANCE_TYPES)
    assert not file_profits("same") and "F16" in FILE_TYPES and not file_profits("F16")


@pytest.mark.parametrize("start", ["F16", "Q4_K_M"])
def test_the_f16_file_is_what_llama_cpp_makes_of_the_weights(tmp_path, start):
    base = Tiny.write(tmp_path / "tiny", "qwen2")
    model = quantised(base, start)
    out = tmp_path / "f16.gguf"
    write_f16(read_header(model.gguf), read_folder(model.master), [], out)
    quantise_file(base.gguf, tmp_path / "theirs.gguf", kind=file_type("F16"))
    theirs, made = read_header(tmp_path / "theirs.gguf"), read_header(out)
    assert list(made.entries) == list(read_header(model.gguf).entries)
    for name, tensor in theirs.tensors.items():
        assert (made.tensors[name].type, made.tensors[name].dims) == (tensor.type, tensor.dims)
        assert raw(out, name) == raw(theirs.path, name), name


def test_bfloat16_weights_are_rounded_to_f16(tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    tiny = Tiny.write(tmp_path / "tiny", "qwen3")
    path = tiny.master / "model.safetensors"
    halves = {name: value.to(torch.bfloat16) for name, value in load_file(path).items()}
    halves["model.norm.weight"] += 1
    save_file(halves, path, metadata={"format": "pt"})
    out = tmp_path / "f16.gguf"
    changed = ["model.norm.weight"]
    write_f16(read_header(tiny.gguf), read_folder(tiny.master), changed, out)
    wanted = halves[names.to_hf(NAME)].to(torch.float16).float().numpy()
    assert np.array_equal(weights(out), wanted)
    # Vectors are the template's, unless training has changed them.
    assert np.array_equal(
        weights(out, "output_norm.weight"), halves["model.norm.weight"].float().numpy()
    )
    norm = "blk.0.attn_norm.weight"
    assert raw(out, norm) == raw(tiny.gguf, norm)
