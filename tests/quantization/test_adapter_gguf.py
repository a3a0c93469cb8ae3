"""An adapter as a GGUF file does in llama.cpp what merging it does."""

from __future__ import annotations

import gguf
import numpy as np
import pytest

from localdistill.quantization.adapter import read_adapter
from localdistill.quantization.adapter_gguf import write_adapter_gguf
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.merge import merge
from localdistill.quantization.quantise import quantise
from tests.quantization.tiny import Tiny

TOKENS = [*range(60, 100), 264]


def logits(model, adapter=None) -> np.ndarray:
    from llama_cpp import Llama

    llama = Llama(
        str(model), n_ctx=128, logits_all=True, verbose=False,
        lora_path=str(adapter) if adapter else None,
    )  # fmt: skip
    llama.eval(TOKENS)
    found = np.array(llama.scores[: len(TOKENS)])
    llama.close()
    return found


def merged_file(model: Tiny, master, adapter, folder):
    """The F16 GGUF of ``master`` with ``adapter`` merged, and the folder of its weights."""
    changed = merge(master, adapter, folder, {})
    out = folder.with_suffix(".gguf")
    quantise(read_header(model.gguf), read_folder(folder), changed, "same", out)
    return out


@pytest.mark.parametrize("more", [{}, {"use_rslora": True}, {"lora_alpha": 3}])
def test_llama_cpp_adds_what_merging_adds(tiny, tmp_path, more):
    modules = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    folder = tiny.write_adapter(tmp_path / "a", 0.05, modules, **more)
    adapter = read_adapter(folder, read_folder(tiny.master))
    write_adapter_gguf(tmp_path / "a.gguf", tiny.architecture, [adapter], "a")
    merged = merged_file(tiny, tiny.master, folder, tmp_path / "m")
    base, ours, expected = logits(tiny.gguf), logits(tiny.gguf, tmp_path / "a.gguf"), logits(merged)
    change = np.abs(expected - base).max()
    assert change > 0.1
    assert np.abs(ours - expected).max() < 0.02 * change


def test_adapters_trained_on_each_other_add_up(tiny, tmp_path):
    first = tiny.write_adapter(tmp_path / "a1", 0.05, ("q_proj", "up_proj"))
    merged = merged_file(tiny, tiny.master, first, tmp_path / "m1")
    after = Tiny(tmp_path / "m1", merged, tiny.architecture)
    # Another scaling, and another choice of matrices.
    second = after.write_adapter(tmp_path / "a2", 0.08, ("up_proj", "down_proj"), lora_alpha=2)
    last = merged_file(after, after.master, second, tmp_path / "m2")
    master = read_folder(tiny.master)
    both = [read_adapter(folder, master) for folder in (first, second)]
    write_adapter_gguf(tmp_path / "both.gguf", tiny.architecture, both, "both")
    base, ours, expected = (
        logits(tiny.gguf), logits(tiny.gguf, tmp_path / "both.gguf"), logits(last)
    )  # fmt: skip
    assert np.abs(ours - expected).max() < 0.02 * np.abs(expected - base).max()


def test_the_file_says_what_it_is(tiny, tmp_path):
    folder = tiny.write_adapter(tmp_path / "a", 0.05, ("q_proj",))
    adapter = read_adapter(folder, read_folder(tiny.master))
    write_adapter_gguf(tmp_path / "a.gguf", tiny.architecture, [adapter], "mine")
    reader = gguf.GGUFReader(tmp_path / "a.gguf")
    fields = {name: reader.get_field(name).contents() for name in (
        "general.type", "general.architecture", "general.name", "adapter.type",
        "adapter.lora.alpha",
    )}  # fmt: skip
    assert fields == {
        "general.type": "adapter", "general.architecture": tiny.architecture,
        "general.name": "mine", "adapter.type": "lora", "adapter.lora.alpha": 8.0,
    }  # fmt: skip
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    a, b = adapter.pairs["model.layers.0.self_attn.q_proj.weight"].factors()
    assert np.array_equal(tensors["blk.0.attn_q.weight.lora_a"].data, a)
    assert np.array_equal(tensors["blk.0.attn_q.weight.lora_b"].data, b)


def test_an_alpha_of_nothing_adds_nothing(tiny, tmp_path):
    folder = tiny.write_adapter(tmp_path / "a", 0.5, ("q_proj",), lora_alpha=0)
    adapter = read_adapter(folder, read_folder(tiny.master))
    write_adapter_gguf(tmp_path / "a.gguf", tiny.architecture, [adapter], "a")
    assert np.allclose(logits(tiny.gguf, tmp_path / "a.gguf"), logits(tiny.gguf), atol=1e-4)
