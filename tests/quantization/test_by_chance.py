"""An update that rounding to the nearest would lose is in the file on average."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from localdistill.quantization import ggml, names
from localdistill.quantization.by_chance import _steps, is_on_grid
from localdistill.quantization.codes import highest, read_codes
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.gguf_import import dequantise
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.merge import merge
from localdistill.quantization.quantise import loses_small_updates, quantise
from localdistill.quantization.safetensors_file import chunks, decode
from tests.quantization.tiny import Tiny, quantised

MODULES = ("q_proj", "v_proj", "down_proj")
QUANTS = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K")
SMALL = {"Q8_0": 0.0005}  # of the updates; for the other types 0.003
KEPT = {"Q2_K": 0.8, "Q3_K_M": 0.85}  # codes at an end can go no further; else 0.9


@dataclass(frozen=True)
class Exported:
    """What an export has made of a model that was begun from a GGUF file alone."""

    start: Tiny  # whose master was read from its file
    merged: object
    out: object
    changed: frozenset[str]

    @property
    def kept(self):
        """The share of the update that is in the file: its projection on what was wanted."""
        moved, update = (np.concatenate(each) for each in zip(*self._pairs(), strict=True))
        return float(moved @ update) / float(update @ update)

    def _pairs(self):
        for name in sorted(self.changed):
            old, new = (values(path, names.to_gguf(name)) for path in (self.start.gguf, self.out))
            yield new - old, stored(self.merged, name) - stored(self.start.master, name)


def values(path, name):
    gguf = read_header(path)
    return np.concatenate([piece for _, piece in ggml.slabs(gguf, gguf.tensors[name])])


def stored(folder, name):
    tensor = read_folder(folder).tensors[name]
    return np.concatenate([decode(block, tensor.dtype) for block in chunks(tensor)])


def begun(tmp_path, quant):
    model = quantised(Tiny.write(tmp_path / "tiny", "qwen3"), quant)
    return Tiny(dequantise(model.gguf, tmp_path / "master"), model.gguf, "qwen3")


def export(model, folder, scale, adapter=None):
    adapter = adapter or model.write_adapter(folder / "adapter", scale, MODULES)
    changed = merge(model.master, adapter, folder / "merged", {"n": str(folder)})
    out = folder / "new.gguf"
    quantise(read_header(model.gguf), read_folder(folder / "merged"), changed, "same", out)
    return Exported(model, folder / "merged", out, changed)


@pytest.mark.parametrize("quant", QUANTS)
def test_a_small_update_is_kept(tmp_path, quant):
    model = begun(tmp_path, quant)
    found = export(model, tmp_path, SMALL.get(quant, 0.003))
    assert found.changed
    assert KEPT.get(quant, 0.9) < found.kept < 1.1


@pytest.mark.parametrize("quant", ["Q4_0", "Q8_0", "Q4_K_M"])
def test_each_weight_goes_to_one_of_the_two_codes_beside_what_was_wanted(tmp_path, quant):
    model = begun(tmp_path, quant)
    found = export(model, tmp_path, SMALL.get(quant, 0.003))
    old, new = read_header(model.gguf), read_header(found.out)
    for name in found.changed:
        tensor = old.tensors[names.to_gguf(name)]
        before, after = (
            gguf.raw(tensor.offset, tensor.offset + tensor.size) for gguf in (old, new)
        )
        codes = read_codes(tensor.type, after).ravel()
        inside = (codes > 0) & (codes < highest(tensor.type))
        update = stored(found.merged, name) - stored(model.master, name)
        moved = values(found.out, tensor.name) - values(model.gguf, tensor.name)
        step = np.abs(_steps(tensor.type, read_codes(tensor.type, before), before))
        assert inside.mean() > 0.5 and (moved[inside] != 0).any()
        assert (np.abs(moved - update)[inside] <= 1.01 * step[inside]).all()


def test_weights_without_an_update_keep_their_codes(tmp_path):
    model = begun(tmp_path, "Q4_K_M")
    adapter = model.write_adapter(tmp_path / "adapter", 0.003, MODULES)
    factors = load_file(adapter / "adapter_model.safetensors")
    for name, factor in factors.items():
        if "lora_A" in name:
            factor[:, : factor.shape[1] // 2] = 0  # nothing of the first half of the inputs
    save_file(factors, adapter / "adapter_model.safetensors")
    found = export(model, tmp_path, 0.003, adapter)
    for name in found.changed:
        shape = read_folder(model.master).tensors[name].shape
        old, new = (
            values(path, names.to_gguf(name)).reshape(shape) for path in (model.gguf, found.out)
        )
        half = shape[1] // 2
        assert np.array_equal(old[:, :half], new[:, :half])
        assert not np.array_equal(old[:, half:], new[:, half:])


def test_the_same_weights_give_the_same_file(tmp_path):
    model = begun(tmp_path, "Q4_K_M")
    first = export(model, tmp_path, 0.003)
    again = tmp_path / "again.gguf"
    weights = read_folder(first.merged)
    quantise(read_header(model.gguf), weights, first.changed, "same", again)
    assert again.read_bytes() == first.out.read_bytes()


def test_a_second_round_adds_to_the_first_and_its_noise_is_drawn_once(tmp_path):
    model = begun(tmp_path, "Q4_K_M")
    first = export(model, tmp_path / "1", 0.003)
    second = Tiny(first.merged, first.out, "qwen3")
    nothing = export(second, tmp_path / "2", 0.0)
    assert nothing.changed == first.changed
    for name in first.changed:
        old, new = (values(path, names.to_gguf(name)) for path in (first.out, nothing.out))
        assert np.mean(old != new) < 0.01  # where 16 bits leave it open on which side it falls
    more = export(second, tmp_path / "3", 0.003)
    assert 0.9 < Exported(model, more.merged, more.out, more.changed).kept < 1.1


def test_a_large_update_is_left_to_llama_cpps_quantiser(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "localdistill.quantization.quantise.rounded", lambda *arguments: asked.append(arguments)
    )
    found = export(begun(tmp_path, "Q8_0"), tmp_path, 0.05)
    assert asked == [] and found.kept > 0.95


@pytest.mark.parametrize("quant", ["Q8_0", "Q4_K_M"])
def test_weights_of_a_folder_in_16_bits_are_not_on_the_files_grid(tmp_path, quant):
    model = quantised(Tiny.write(tmp_path / "tiny", "qwen3"), quant)
    gguf = read_header(model.gguf)
    assert not is_on_grid(gguf, read_folder(model.master), set())
    made = read_folder(dequantise(model.gguf, tmp_path / "master"))
    assert is_on_grid(gguf, made, set())
    # What was changed says nothing, and is not looked at.
    told = {names.to_hf(name) for name in gguf.tensors}
    assert not is_on_grid(gguf, made, told)


@pytest.mark.parametrize(
    ("given", "quant", "lost"),
    [
        ("Q4_K_M", "same", False), ("IQ4_XS", "same", True), ("F16", "same", False),
        ("Q4_K_M", "Q8_0", False), ("Q4_K_M", "Q6_K", False), ("Q4_K_M", "Q5_K_M", True),
        ("Q8_0", "Q4_K_M", False), ("F16", "Q4_K_M", False), ("IQ4_XS", "Q4_K_M", True),
    ],
)  # fmt: skip
def test_what_a_type_cannot_hold_is_known_beforehand(tmp_path, given, quant, lost):
    model = quantised(Tiny.write(tmp_path / "tiny", "qwen3"), given)
    assert loses_small_updates(read_header(model.gguf), quant) == lost
