"""Merging adds exactly the adapter's update, and refuses what it would leave out."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from localdistill.errors import ExportRejected, ModelError
from localdistill.quantization.adapter import read_adapter
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.merge import changed_since_start, merge
from tests.quantization.tiny import Tiny

MODULES = ("q_proj", "down_proj")


@pytest.mark.parametrize(("config", "scaling"), [({}, 2.0), ({"use_rslora": True}, 4.0)])
def test_the_result_is_w_plus_scaled_b_a(tiny, tmp_path, config, scaling):
    adapter = tiny.write_adapter(tmp_path / "adapter", 0.05, MODULES, **config)
    seen = {}
    changed = merge(tiny.master, adapter, tmp_path / "merged", {}, seen.__setitem__)
    merged, factors = (
        load_file(tmp_path / "merged" / "model.safetensors"),
        load_file(adapter / "adapter_model.safetensors"),
    )
    assert changed == {
        name for name in merged if any(m in name for m in MODULES) and "bias" not in name
    }
    for name, weight in tiny.weights().items():
        assert seen[name] == (name in changed)
        if name in changed:
            stem = "base_model.model." + name.removesuffix(".weight")
            a, b = (factors[f"{stem}.lora_{half}.weight"] for half in "AB")
            exact = weight.astype(np.float64) + scaling * b.astype(np.float64) @ a
            error = np.abs(merged[name] - exact)
            assert np.all(error <= np.spacing(np.abs(exact).astype(np.float16)) * 0.51 + 1e-7)
        else:
            assert merged[name].tobytes() == weight.tobytes()


def test_a_zero_update_leaves_the_file_as_it_is(tiny, tmp_path):
    adapter = tiny.write_adapter(tmp_path / "adapter", 0.0, MODULES)
    assert merge(tiny.master, adapter, tmp_path / "merged", {}) == frozenset()
    for name in ("model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "merged" / name).read_bytes() == (tiny.master / name).read_bytes()


def test_shards_stay_shards(tiny, tmp_path):
    weights = tiny.weights()
    parts = {"model-1.safetensors": {}, "model-2.safetensors": {}}
    for number, (name, weight) in enumerate(weights.items()):
        parts[f"model-{number % 2 + 1}.safetensors"][name] = weight
    for file, part in parts.items():
        save_file(part, tiny.master / file)
    (tiny.master / "model.safetensors").unlink()
    index = {"weight_map": {name: file for file, part in parts.items() for name in part}}
    (tiny.master / "model.safetensors.index.json").write_text(json.dumps(index))
    adapter = tiny.write_adapter(tmp_path / "adapter", 0.05, MODULES)
    changed = merge(tiny.master, adapter, tmp_path / "merged", {})
    assert len(changed) == 4
    merged = read_folder(tmp_path / "merged")
    assert merged.tensors.keys() == weights.keys()
    assert {file.name for file in merged.files} == set(parts)


def test_what_earlier_rounds_changed_is_remembered(tiny, tmp_path):
    first = tiny.write_adapter(tmp_path / "a1", 0.05, ("q_proj",))
    second = tiny.write_adapter(tmp_path / "a2", 0.05, ("up_proj",))
    merge(tiny.master, first, tmp_path / "m1", {})
    changed = merge(tmp_path / "m1", second, tmp_path / "m2", {})
    assert {name.split(".")[-2] for name in changed} == {"q_proj", "up_proj"}
    assert changed_since_start(tmp_path / "m2") == changed


def test_it_is_done_once_for_the_same_facts(tiny, tmp_path):
    adapter = tiny.write_adapter(tmp_path / "adapter", 0.05, MODULES)
    first = merge(tiny.master, adapter, tmp_path / "merged", {"adapter": "x"})
    seen = []
    again = merge(tiny.master, adapter, tmp_path / "merged", {"adapter": "x"}, seen.append)
    assert (again, seen) == (first, [])
    told = {}
    merge(tiny.master, adapter, tmp_path / "merged", {"adapter": "y"}, told.__setitem__)
    assert told


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_update_that_is_not_finite_is_rejected_naming_the_tensor(tiny, tmp_path, value):
    adapter = tiny.write_adapter(tmp_path / "adapter", 0.0, MODULES)
    factors = load_file(adapter / "adapter_model.safetensors")
    factors["base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight"][5, 2] = value
    save_file(factors, adapter / "adapter_model.safetensors")
    with pytest.raises(ExportRejected, match=r"model\.layers\.1\.self_attn\.q_proj\.weight"):
        merge(tiny.master, adapter, tmp_path / "merged", {})
    assert not (tmp_path / "merged").exists()
    assert not (tmp_path / "merged.partial").exists()


def test_an_update_beyond_16_bits_is_rejected(tiny, tmp_path):
    adapter = tiny.write_adapter(tmp_path / "adapter", 1e6, MODULES)
    with pytest.raises(ExportRejected, match="finite in F16"):
        merge(tiny.master, adapter, tmp_path / "merged", {})


@pytest.mark.parametrize(
    "config",
    [
        {"use_dora": True},
        {"bias": "all"},
        {"modules_to_save": ["lm_head"]},
        {"fan_in_fan_out": True},
        {"rank_pattern": {"q_proj": 8}},
        {"alpha_pattern": {"q_proj": 8}},
        {"init_lora_weights": "pissa"},
        {"layer_replication": [[0, 2]]},
        {"peft_type": "IA3"},
        {"r": 0},
        {"lora_alpha": None},
        {"r": float("inf")},
        {"r": 10**400},
        {"lora_alpha": 10**400},
    ],
)
def test_settings_that_are_more_than_plain_lora_are_refused(tiny, tmp_path, config):
    adapter = tiny.write_adapter(tmp_path / "adapter", 0.1, MODULES, **config)
    with pytest.raises(ModelError) as refusal:
        read_adapter(adapter, read_folder(tiny.master))
    assert str(adapter) in str(refusal.value)


def rename(adapter, change):
    factors = load_file(adapter / "adapter_model.safetensors")
    renamed = {change(name): factor for name, factor in factors.items()}
    save_file({k: v for k, v in renamed.items() if k}, adapter / "adapter_model.safetensors")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda name: name.replace("layers.1", "layers.9"), "does not have"),
        (lambda name: name if "lora_A" in name else None, "missing"),
        (lambda name: name.replace("lora_A", "lora_magnitude_vector"), "not a LoRA factor"),
        (lambda name: name.replace("q_proj", "k_proj"), "do not fit"),
    ],
)
def test_an_adapter_of_another_model_is_refused(tiny, tmp_path, change, said):
    adapter = tiny.write_adapter(tmp_path / "adapter", 0.1, MODULES)
    rename(adapter, change)
    with pytest.raises(ModelError, match=said):
        read_adapter(adapter, read_folder(tiny.master))


def test_lm_head_of_a_tied_model_is_refused(tmp_path):
    tied = Tiny.write(tmp_path / "tied", "qwen3", tied=True)
    untied = Tiny.write(tmp_path / "untied", "qwen3")
    adapter = untied.write_adapter(tmp_path / "adapter", 0.1, ("lm_head",))
    assert "lm_head.weight" in read_adapter(adapter, read_folder(untied.master)).pairs
    with pytest.raises(ModelError, match="the embedding matrix itself"):
        read_adapter(adapter, read_folder(tied.master))


@pytest.mark.parametrize("which", ["adapter", "master"])
def test_pickles_are_refused_with_the_fix(tiny, tmp_path, which):
    adapter = tiny.write_adapter(tmp_path / "adapter", 0.1, MODULES)
    weights = {
        "adapter": adapter / "adapter_model.safetensors",
        "master": tiny.master / "model.safetensors",
    }[which]
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ModelError, match=r"[Cc]onvert to safetensors"):
        merge(tiny.master, adapter, tmp_path / "merged", {})


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_weight_file_is_refused(tiny, tmp_path, share):
    path = tiny.master / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelError, match="truncated"):
        read_folder(tiny.master)


def in_bfloat16(model):
    """The same model with its folder in bfloat16."""
    import torch
    from safetensors.torch import load_file, save_file

    path = model.master / "model.safetensors"
    weights = {name: value.to(torch.bfloat16) for name, value in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt", "whose": "Zoë's \u4e2d"})
    config = json.loads((model.master / "config.json").read_text())
    (model.master / "config.json").write_text(json.dumps({**config, "dtype": "bfloat16"}))
    return model


def change_weights(folder, change):
    """Let ``change`` alter the tensors of a folder by name, in place."""
    import torch
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    weights = load_file(path)
    with torch.no_grad():
        change(weights)
    save_file(weights, path, metadata={"format": "pt"})


def values(folder):
    """All tensors of a folder in float64."""
    from safetensors.torch import load_file

    return {
        name: value.double().numpy()
        for name, value in load_file(folder / "model.safetensors").items()
    }


def update(adapter, name):
    """What ``write_adapter``'s adapter adds to the matrix ``name``, in float64."""
    factors = load_file(adapter / "adapter_model.safetensors")
    stem = "base_model.model." + name.removesuffix(".weight")
    a, b = (factors[f"{stem}.lora_{half}.weight"].astype(np.float64) for half in "AB")
    return 2.0 * b @ a


UP = "model.layers.0.mlp.up_proj.weight"


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_small_update_of_bfloat16_weights_is_kept(tiny, tmp_path, rounds):
    folder = in_bfloat16(tiny).master
    # 0.1% of the weights' standard deviation, of which bfloat16 would keep about half.
    adapter = tiny.write_adapter(tmp_path / "adapter", 0.00025, ("up_proj",))
    before, wanted = values(folder)[UP], update(adapter, UP)
    assert 0.0008 < wanted.std() / before.std() < 0.0015
    for number in range(rounds):
        changed = merge(folder, adapter, tmp_path / f"merged{number}", {})
        folder = tmp_path / f"merged{number}"
        assert UP in changed
    found = values(folder)[UP] - before
    kept = (found * wanted).sum() / (wanted * wanted).sum() / rounds
    assert kept == pytest.approx(1.0, abs=0.02)


def test_a_folder_with_both_16_bit_types_is_what_everybody_reads(tiny, tmp_path):
    import torch
    from transformers import AutoModelForCausalLM

    folder, out = in_bfloat16(tiny).master, tmp_path / "merged"
    adapter = tiny.write_adapter(tmp_path / "adapter", 0.0003, MODULES)
    changed = merge(folder, adapter, out, {})
    before, after = read_folder(folder), read_folder(out)
    assert changed
    for name, tensor in after.tensors.items():
        was = before.tensors[name]
        assert tensor.dtype == ("F16" if name in changed else "BF16")
        assert (tensor.shape, tensor.start, tensor.size) == (was.shape, was.start, was.size)
    assert (out / "config.json").read_bytes() == (folder / "config.json").read_bytes()
    stored = values(out)
    # As the configuration says, whatever is on the disk; and in 32 bits as it is on the disk.
    said = AutoModelForCausalLM.from_pretrained(out, dtype="auto")
    assert {weight.dtype for weight in said.parameters()} == {torch.bfloat16}
    exact = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32)
    for name, weight in exact.named_parameters():
        assert np.array_equal(weight.detach().double().numpy(), stored[name]), name
    tokens = torch.arange(1, 40)[None]
    with torch.no_grad():
        assert torch.allclose(
            said(tokens).logits.float(), exact(tokens).logits, atol=0.05, rtol=0.05
        )


def test_what_float16_cannot_hold_stays_in_bfloat16(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("localdistill.quantization.merge._SLAB", 1 << 12)
    names = [f"model.layers.{layer}.mlp.up_proj.weight" for layer in range(2)]
    folder = in_bfloat16(tiny).master

    def change(weights):
        weights[names[0]][-1, -1] = 70000.0  # found in the last of its pieces
        weights[names[1]] *= 2.0**-14

    change_weights(folder, change)
    adapter = tiny.write_adapter(tmp_path / "adapter", 0.01, ("up_proj",))
    factors = load_file(adapter / "adapter_model.safetensors")
    small = "base_model.model.model.layers.1.mlp.up_proj.lora_B.weight"
    factors[small] *= np.float32(2.0**-14)
    save_file(factors, adapter / "adapter_model.safetensors")
    assert merge(folder, adapter, tmp_path / "merged", {}) == set(names)
    merged, before = read_folder(tmp_path / "merged"), values(folder)
    for name in names:
        assert merged.tensors[name].dtype == "BF16"
        exact = before[name] + update(adapter, name)
        error = np.abs(values(tmp_path / "merged")[name] - exact)
        assert np.all(error <= np.abs(exact) * 2.0**-8)


def test_an_update_that_float16_rounds_away_changes_no_byte(tiny, tmp_path):
    folder = in_bfloat16(tiny).master

    def change(weights):
        for value in weights.values():
            # Half way between two of float16's steps nothing is too little, nor beside zero, which
            # has a sign.
            value[value.abs() < 2.0**-14] = 2.0**-14

    change_weights(folder, change)
    adapter = tiny.write_adapter(tmp_path / "adapter", 1e-12, MODULES)
    assert merge(folder, adapter, tmp_path / "merged", {}) == frozenset()
    name = "model.safetensors"
    assert (tmp_path / "merged" / name).read_bytes() == (folder / name).read_bytes()


def test_an_update_beyond_bfloat16_is_rejected(tiny, tmp_path):
    folder = in_bfloat16(tiny).master
    with np.errstate(over="ignore"):
        adapter = tiny.write_adapter(tmp_path / "adapter", 1e38, MODULES)
        with pytest.raises(ExportRejected, match="finite in BF16"):
            merge(folder, adapter, tmp_path / "merged", {})
