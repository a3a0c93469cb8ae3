"""The streamed forward pass is transformers' own, and gives what llama.cpp's importance is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from localdistill.errors import ModelError
from localdistill.quantization import importance
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.importance import Importance
from localdistill.quantization.reference import Reference
from tests.quantization.tiny import Tiny

SEED = Path(__file__).parents[2] / "models" / "seed"
ROWS = [[5, 17, 200, 3, 64, 64, 9], [2, 258], [41] * 12]

pytestmark = pytest.mark.real


def whole(folder: Path):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def plain_logits(model, row):
    with torch.inference_mode():
        return model(torch.tensor([row])).logits[0]


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3"])
@pytest.mark.parametrize("tied", [False, True])
def test_logits_are_those_of_the_whole_model(tmp_path, monkeypatch, architecture, tied):
    tiny = Tiny.write(tmp_path / "tiny", architecture, tied=tied)
    # The output matrix in several parts, the last one smaller.
    monkeypatch.setattr("localdistill.quantization.reference._OUTPUT_SLAB", 100 * 256)
    reference = Reference(read_folder(tiny.master))
    states = reference.hidden(ROWS)
    model = whole(tiny.master)
    for row, state in zip(ROWS, states, strict=True):
        assert torch.allclose(reference.logits(state), plain_logits(model, row), atol=1e-4)


def test_logits_of_the_seed_model_are_those_of_the_whole_model():
    rows = [[(7 * i * i + 3 * i) % 1277 for i in range(400)], [1278, 40, 41, 1279]]
    reference = Reference(read_folder(SEED))
    model = whole(SEED)
    for row, state in zip(rows, reference.hidden(rows), strict=True):
        assert torch.allclose(reference.logits(state), plain_logits(model, row), atol=1e-4)
        part = reference.logits(state[1:3])
        assert torch.allclose(part, plain_logits(model, row)[1:3], atol=1e-4)


def test_no_more_than_one_layer_is_in_memory(tmp_path, monkeypatch):
    tiny = Tiny.write(tmp_path / "tiny", "qwen3")
    reference = Reference(read_folder(tiny.master))
    load, alive = reference._layer, []

    def watched(number):
        assert all(layer() is None for layer in alive), "the layer before is still there"
        layer = load(number)
        import weakref

        alive.append(weakref.ref(layer))
        return layer

    monkeypatch.setattr(reference, "_layer", watched)
    reference.hidden(ROWS)
    assert len(alive) == reference.layers


def test_importance_is_the_mean_of_squared_inputs_of_the_counted_rows(tmp_path):
    tiny = Tiny.write(tmp_path / "tiny", "qwen2")
    found = Importance()
    Reference(read_folder(tiny.master)).hidden(ROWS, found, counted=2)
    model = whole(tiny.master)
    inputs: dict[str, list] = {}
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and name != "lm_head":
            module.register_forward_pre_hook(
                lambda _, given, name=name: inputs.setdefault(name, []).append(given[0][0])
            )
    for row in ROWS[:2]:
        plain_logits(model, row)
    means = found.means()
    assert len(means) == len(inputs) == 14
    for hf, gguf in (
        ("model.layers.1.self_attn.k_proj", "blk.1.attn_k.weight"),
        ("model.layers.0.self_attn.o_proj", "blk.0.attn_output.weight"),
        ("model.layers.1.mlp.up_proj", "blk.1.ffn_up.weight"),
        ("model.layers.0.mlp.down_proj", "blk.0.ffn_down.weight"),
    ):
        wanted = torch.cat(inputs[hf]).square().mean(0).numpy()
        assert means[gguf].dtype == np.float32
        assert np.allclose(means[gguf], wanted, rtol=1e-4, atol=1e-7), gguf


def test_a_folder_that_lacks_a_weight_is_refused(tmp_path):
    tiny = Tiny.write(tmp_path / "tiny", "qwen3")
    folder = read_folder(tiny.master)
    del folder.tensors["model.layers.1.mlp.up_proj.weight"]
    with pytest.raises(ModelError, match=r"layer 1.*up_proj"):
        Reference(folder).hidden(ROWS)


def test_the_array_for_llama_cpp_ends_with_a_row_without_a_name():
    import llama_cpp

    means = {"blk.0.ffn_up.weight": np.arange(4, dtype=np.float32)}
    table = importance.ImportanceArray(llama_cpp, means).table
    assert [row.name for row in table] == [b"blk.0.ffn_up.weight", None]
    assert [table[0].data[i] for i in range(table[0].size)] == [0, 1, 2, 3]
