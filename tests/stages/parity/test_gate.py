"""The gate on the seed model: what must be stopped is stopped, and says why (issue: must hold)."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from localdistill.errors import ExportRejected
from localdistill.events import StageFinished
from localdistill.markers import mark_done
from localdistill.quantization.adapter import adapter_digest
from localdistill.quantization.fingerprint import folder_fingerprint
from localdistill.quantization.folder_write import NOTE
from localdistill.quantization.gguf_file import read_header
from localdistill.stages import export
from localdistill.stages.parity import positions
from localdistill.stages.parity.checks import Parity
from tests.stages.parity.seed_adapters import (
    SEED,
    damaged,
    load_file_f32,
    outlier_adapter,
    train_adapter,
)

GGUF = SEED / "seed-q8_0.gguf"

pytestmark = pytest.mark.real


@pytest.fixture(autouse=True)
def fewer_positions(monkeypatch):
    """Half of the positions are enough here."""
    monkeypatch.setattr(positions, "WANTED", 1050)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    return train_adapter(tmp_path_factory.mktemp("trained") / "adapter")


def request(adapter: Path, folder: Path, **other) -> export.ExportRequest:
    paths = {"template": GGUF, "master": SEED, "adapter": adapter, "merged": folder / "merged"}
    paths |= {"out": folder / "model.gguf", "threads": 1}
    return export.ExportRequest(**(paths | other))


def run(made: export.ExportRequest):
    events: list = []
    export.run(made, events.append)
    (finished,) = [event for event in events if isinstance(event, StageFinished)]
    return finished, found(made)


def found(made: export.ExportRequest) -> dict:
    parity = Parity.model_validate_json((made.out.parent / "parity.json").read_text())
    return {check.name: check for check in parity.checks}


def stopped(made: export.ExportRequest, check: str, why: str):
    with pytest.raises(ExportRejected, match=f"check '{check}' failed: .*{why}"):
        export.run(made, lambda event: None)
    left = {path.name for path in made.out.parent.iterdir()}
    assert left == {"parity.json"}
    checks = found(made)
    assert [name for name, entry in checks.items() if entry.passed is False] == [check]
    return checks[check]


def mark(adapter: Path, master: Path = SEED) -> Path:
    """Say beside ``adapter`` what the train stage says."""
    base = {"model": folder_fingerprint(master)}
    mark_done(adapter, sha256=adapter_digest(adapter), made_with=base)
    return adapter


def test_a_trained_model_passes_every_check(trained, tmp_path):
    adapter = shutil.copytree(trained, tmp_path / "adapter")
    finished, checks = run(request(mark(adapter), tmp_path / "round"))
    assert list(checks) == [
        "adapter", "merge", "file", "metadata", "end token", "conversations", "merged weights",
        "quantisation", "base", "what training won", "answers",
    ]  # fmt: skip
    assert all(check.passed for check in checks.values()), checks
    assert checks["merged weights"].figures["positions"] >= 1000
    assert checks["quantisation"].figures["positions"] >= positions.WANTED
    won = checks["what training won"].figures
    assert won["nats won in training (4 bits)"] > 0.1
    assert finished.summary["parity"] == "11 checks passed"
    assert finished.summary["KL to F16"] == checks["quantisation"].figures["KL to F16"]
    again, _ = run(request(adapter, tmp_path / "round"))
    assert again.skipped and again.summary == finished.summary


def test_an_adapter_that_no_number_is_known_of_is_checked_as_far_as_possible(trained, tmp_path):
    adapter = shutil.copytree(trained, tmp_path / "adapter")
    (adapter / "held_out.jsonl").unlink()
    (adapter / "training.json").unlink()
    finished, checks = run(request(adapter, tmp_path / "round"))
    not_made = {name for name, check in checks.items() if check.passed is None}
    assert not_made == {"base", "what training won"}
    assert finished.summary["parity"] == "9 checks passed, 2 not made"


@pytest.mark.parametrize("quant", ["same", "F16"])
def test_outliers_are_harmless_where_blocks_have_enough_steps(tmp_path, quant):
    adapter = outlier_adapter(tmp_path / "adapter")
    run(request(adapter, tmp_path / "round", quant=quant))


def test_a_merge_that_q4_0_breaks_is_stopped(tmp_path):
    adapter = outlier_adapter(tmp_path / "adapter")
    made = request(adapter, tmp_path / "round", quant="Q4_0")
    check = stopped(made, "quantisation", "weights that this type cannot hold")
    figures = check.figures
    assert figures["KL to F16"] > 10 * figures["starting file: KL to its weights"]
    # The same type holds the starting model well.
    nothing = damaged(adapter, tmp_path / "nothing", lambda f: [v.fill(0) for v in f.values()])
    run(request(nothing, tmp_path / "base", quant="Q4_0"))


def test_nan_in_a_delta(trained, tmp_path):
    def change(factors):
        name = next(n for n in factors if "layers.3.mlp.up_proj.lora_A" in n)
        factors[name][1, 5] = np.nan

    adapter = damaged(trained, tmp_path / "adapter", change)
    stopped(request(adapter, tmp_path / "round"), "merge", r"layers\.3\.mlp\.up_proj.*not finite")


def flip(path: Path, bit: int, count: int = 1) -> None:
    """Flip one bit of ``count`` float32 values in the middle of a file's data."""
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2 // 4 * 4 + len(raw) % 4
    for number in range(count):
        raw[middle + 4 * number + bit // 8] ^= 1 << bit % 8
    path.write_bytes(raw)


def test_a_flipped_bit_in_an_adapter_of_ours(trained, tmp_path):
    adapter = mark(shutil.copytree(trained, tmp_path / "adapter"))
    flip(adapter / "adapter_model.safetensors", bit=3)  # too small to be seen in any loss
    stopped(request(adapter, tmp_path / "round"), "adapter", "changed or damaged")


def test_flipped_bits_in_an_adapter_whose_digest_is_not_known(trained, tmp_path):
    adapter = shutil.copytree(trained, tmp_path / "adapter")
    # The highest of the exponent: a value becomes 2**128 times as large.
    flip(adapter / "adapter_model.safetensors", bit=30)
    made = request(adapter, tmp_path / "round")
    with pytest.raises(ExportRejected, match=r"check '(merge|file|what training won)' failed"):
        export.run(made, lambda event: None)
    assert not made.out.exists()


@pytest.fixture
def other_model(tmp_path):
    """The seed model with all matrices shaken: another fine-tune of the same shape."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "other"
    shutil.copytree(SEED, folder, ignore=shutil.ignore_patterns("*.gguf", "problems", "training"))
    weights = {
        name: (w + rng.standard_normal(w.shape) * 0.4 * w.std() * (w.ndim == 2)).astype(np.float16)
        for name, w in load_file_f32(SEED / "model.safetensors").items()
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    gguf = tmp_path / "other.gguf"
    from localdistill.quantization.hf_folder import read_folder
    from localdistill.quantization.quantise import quantise

    template = read_header(GGUF)
    from localdistill.quantization import names

    changed = [names.to_hf(name) for name, t in template.tensors.items() if len(t.dims) > 1]
    quantise(template, read_folder(folder), changed, "same", gguf)
    return folder, gguf


def test_a_wrong_base_is_known_by_its_fingerprint(trained, other_model, tmp_path):
    master, gguf = other_model
    adapter = mark(shutil.copytree(trained, tmp_path / "adapter"))
    made = request(adapter, tmp_path / "round", master=master, template=gguf)
    stopped(made, "adapter", "trained on other weights")


def test_a_wrong_base_is_known_by_its_loss(trained, other_model, tmp_path):
    master, gguf = other_model
    made = request(trained, tmp_path / "round", master=master, template=gguf)
    stopped(made, "base", "another model")


def test_an_adapter_that_is_merged_twice_is_known_by_the_note(trained, tmp_path):
    first = request(trained, tmp_path / "one")
    run(first)
    second = request(trained, tmp_path / "two", master=first.merged, template=first.out)
    stopped(second, "adapter", "contains this adapter already")


def test_an_adapter_that_is_merged_twice_is_known_by_its_loss(trained, tmp_path):
    first = request(trained, tmp_path / "one")
    run(first)
    (first.merged / NOTE).unlink()
    second = request(trained, tmp_path / "two", master=first.merged, template=first.out)
    with pytest.raises(ExportRejected, match=r"contain this training already|merged before"):
        export.run(second, lambda event: None)
    assert not second.out.exists()


def test_a_template_with_a_changed_end_token(trained, tmp_path):
    gguf = read_header(GGUF)
    raw = bytearray(GGUF.read_bytes())
    end = gguf.entries["tokenizer.ggml.eos_token_id"].end
    raw[end - 4 : end] = struct.pack("<I", gguf.get("tokenizer.ggml.tokens").index("<|endoftext|>"))
    changed = tmp_path / "changed.gguf"
    changed.write_bytes(raw)
    made = request(trained, tmp_path / "round", template=changed)
    stopped(made, "end token", r"ends at token 1277 \(<\|endoftext\|>\)")


def test_a_changed_chat_template(trained, tmp_path):
    raw = GGUF.read_bytes()
    old, new = b"<|im_start|>assistant\\n", b"<|im_start|>assistent\\n"
    assert old in raw
    changed = tmp_path / "changed.gguf"
    changed.write_bytes(raw.replace(old, new))
    made = request(trained, tmp_path / "round", template=changed)
    stopped(made, "conversations", "'plain' is rendered as")


def test_a_delta_that_was_lost_on_the_way(trained, tmp_path):
    adapter = damaged(
        trained, tmp_path / "adapter", lambda f: [v.fill(0) for n, v in f.items() if "lora_B" in n]
    )
    made = request(adapter, tmp_path / "round")
    stopped(made, "what training won", "merged weights in F16 kept 0.000")


def test_training_json_of_another_training_does_not_pass(trained, tmp_path):
    adapter = shutil.copytree(trained, tmp_path / "adapter")
    path = adapter / "training.json"
    told = json.loads(path.read_text())
    won = told["held_out"]["before"] - told["held_out"]["after"]
    told["held_out"]["after"] -= won / 2
    path.write_text(json.dumps(told))
    stopped(request(adapter, tmp_path / "round"), "what training won", "kept")
