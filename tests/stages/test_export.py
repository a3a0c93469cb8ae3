"""The stages around a model's two forms: prepare and export, on tiny models and on the seed."""

from __future__ import annotations

import ctypes
import resource
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from localdistill import bounded
from localdistill.errors import ConfigError, ExportRejected, MemoryShortage, ModelError
from localdistill.events import StageFinished, StageProgress, StageStarted
from localdistill.markers import is_done, mark_done, marker
from localdistill.quantization import ggml, names
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.load_check import check_loads
from localdistill.stages import export, prepare
from localdistill.stages.parity.checks import has_passed, parity_file
from tests.quantization.tiny import TEMPLATE, Tiny, quantised, with_own_output

SEED = Path(__file__).parents[2] / "models" / "seed"
MODULES = ("q_proj", "v_proj", "up_proj")
needs_seed = pytest.mark.skipif(
    not (SEED / "model.safetensors").exists(), reason="the seed model is not in this checkout"
)


@pytest.fixture
def model(tmp_path) -> Tiny:
    return quantised(Tiny.write(tmp_path / "tiny", "qwen3"), "Q4_K_M")


@pytest.fixture
def seed() -> Tiny:
    start = prepare.run(prepare.PrepareRequest(model=SEED, work_dir=SEED / "none"), lambda e: None)
    return Tiny(start.master, start.gguf, start.architecture)


def request(model: Tiny, adapter: Path, folder: Path, **other) -> export.ExportRequest:
    """All but the gate, which takes its time and has tests of its own (tests/stages/parity)."""
    paths = {"template": model.gguf, "master": model.master, "adapter": adapter, "gate": False}
    paths |= {"merged": folder / "merged", "out": folder / "model.gguf"}
    return export.ExportRequest(**(paths | other))


def run(made: export.ExportRequest):
    events: list = []
    return export.run(made, events.append), events


def test_it_reports_what_it_does_and_marks_what_it_made(model, tmp_path):
    adapter = model.write_adapter(tmp_path / "adapter", 0.05, MODULES)
    made = request(model, adapter, tmp_path / "round", gate=True)
    summary, events = run(made)
    assert is_done(made.out)
    assert is_done(made.merged)
    assert summary.changed == 6
    assert summary.tensors == len(read_header(model.gguf).tensors)
    assert summary.size_bytes == model.gguf.stat().st_size
    assert isinstance(events[0], StageStarted)
    assert isinstance(events[-1], StageFinished) and not events[-1].skipped
    done = [event.done for event in events if isinstance(event, StageProgress)]
    assert done == sorted(done)
    assert done[-1] == events[0].total
    left = {path.name for path in (tmp_path / "round").iterdir()}
    assert left == {"merged", "merged.done", "model.gguf", "model.gguf.done", "parity.json"}


def test_a_second_call_returns_at_once_and_another_adapter_does_not(model, tmp_path):
    adapter = model.write_adapter(tmp_path / "adapter", 0.05, MODULES)
    made = request(model, adapter, tmp_path / "round")
    first, _ = run(made)
    written = made.out.stat().st_mtime_ns
    again, events = run(made)
    assert again == first
    assert events[-1].skipped
    assert made.out.stat().st_mtime_ns == written
    other = model.write_adapter(tmp_path / "other", 0.0, MODULES)
    summary, events = run(request(model, other, tmp_path / "round"))
    assert (summary.changed, events[-1].skipped) == (0, False)
    assert made.out.read_bytes() == model.gguf.read_bytes()


def test_what_was_found_of_another_export_is_not_told_of_this_one(model, tmp_path):
    adapter = model.write_adapter(tmp_path / "adapter", 0.05, MODULES)
    made = request(model, adapter, tmp_path / "round", gate=True)
    run(made)
    parity = parity_file(made.out)
    passed = parity.read_text()
    # Of another model: nothing is known of it, and what is known of the file stays.
    config = tmp_path / "other" / "adapter_config.json"
    other = model.write_adapter(tmp_path / "other", 0.05, MODULES)
    config.write_text(config.read_text().replace('"LORA"', '"IA3"'))
    with pytest.raises(ModelError):
        run(request(model, other, tmp_path / "round", gate=True))
    assert parity.read_text() == passed
    # Damaged after training: rejected before the merge, and the file that is there stays.
    other = model.write_adapter(tmp_path / "another", 0.04, MODULES)
    mark_done(other, sha256="of something else")
    with pytest.raises(ExportRejected, match="'adapter' failed"):
        run(request(model, other, tmp_path / "round", gate=True))
    assert not has_passed(parity)
    assert is_done(made.out)
    _, events = run(made)
    assert not events[-1].skipped
    assert parity.read_text() == passed


@pytest.mark.parametrize("stopped", ["check_loads", "quantise", "merge"])
def test_a_call_after_a_kill_gives_the_same_files(model, tmp_path, monkeypatch, stopped):
    adapter = model.write_adapter(tmp_path / "adapter", 0.05, MODULES)
    whole = request(model, adapter, tmp_path / "whole")
    run(whole)
    made = request(model, adapter, tmp_path / "round")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(export, stopped, lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt))
        run(made)
    assert not is_done(made.out)
    # What a kill leaves, which can clean nothing up.
    (tmp_path / "round").mkdir(exist_ok=True)
    (tmp_path / "round" / "model.gguf.partial").write_bytes(b"GGUF, half of it")
    (tmp_path / "round" / "model.gguf.partial.source").write_bytes(b"x")
    (tmp_path / "round" / "merged.partial").mkdir()
    marker(made.merged).unlink(missing_ok=True)
    run(made)
    assert made.out.read_bytes() == whole.out.read_bytes()
    assert (made.merged / "model.safetensors").read_bytes() == (
        whole.merged / "model.safetensors"
    ).read_bytes()
    left = {path.name for path in (tmp_path / "round").iterdir()}
    assert left == {"merged", "merged.done", "model.gguf", "model.gguf.done", "parity.json"}


def test_the_second_round_starts_from_the_merged_master(model, tmp_path):
    first = request(model, model.write_adapter(tmp_path / "a1", 0.05, ("q_proj",)), tmp_path / "r1")
    run(first)
    after = Tiny(first.merged, first.out, model.architecture)
    adapter = after.write_adapter(tmp_path / "a2", 0.05, ("up_proj",))
    outs = []
    # With the first round's file or the very first one as template: both hold the same entries.
    for name, template in (("r2", first.out), ("r2b", model.gguf)):
        made = request(after, adapter, tmp_path / name, template=template)
        summary, _ = run(made)
        assert summary.changed == 4
        outs.append(made.out.read_bytes())
    assert outs[0] == outs[1]
    values = dict(_changed_values(model.gguf, tmp_path / "r2" / "model.gguf"))
    assert {name.split(".")[2] for name in values} == {"attn_q", "ffn_up"}


@pytest.mark.parametrize("output", ["template", "master"])
def test_an_output_must_not_be_an_input(model, tmp_path, output):
    adapter = model.write_adapter(tmp_path / "adapter", 0.05, MODULES)
    other = {"out": model.gguf} if output == "template" else {"merged": model.master}
    with pytest.raises(ConfigError, match="Name another output"):
        run(request(model, adapter, tmp_path, **other))


def test_a_wrong_base_is_refused_before_anything_is_written(model, tmp_path):
    other = Tiny.write(tmp_path / "other", "qwen3", seed=9)
    adapter = model.write_adapter(tmp_path / "adapter", 0.05, MODULES)
    with pytest.raises(ModelError, match="not the same model"):
        run(request(model, adapter, tmp_path / "round", master=other.master))
    assert not (tmp_path / "round").exists()


def test_a_file_that_cannot_be_loaded_is_rejected(model, tmp_path):
    raw = model.gguf.read_bytes()
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(raw.replace(b"qwen3.block_count", b"qwen3.block_XXXXX"))
    with pytest.raises(ExportRejected, match="cannot load"):
        check_loads(broken)


@pytest.mark.parametrize(
    ("at", "error", "said"),
    [
        ("Llama", ValueError("Failed to load model"), b"mmap failed: Cannot allocate memory\n"),
        ("Llama", ValueError("Failed to create llama_context"), b"failed to allocate buffer\n"),
        ("Llama", MemoryError(), b""),
        ("create_completion", RuntimeError("returned -2"), b"failed to allocate graph\n"),
        ("create_completion", MemoryError(), b""),
    ],
)
def test_a_file_for_which_there_is_no_memory_is_not_rejected(model, monkeypatch, at, error, said):
    llama = ggml.llama_library()

    def fail(*arguments, **options):
        callback, data = llama.llama_log_callback(), ctypes.c_void_p()
        llama.llama_log_get(ctypes.byref(callback), ctypes.byref(data))
        callback(3, said, data)
        raise error

    where = llama if at == "Llama" else llama.Llama
    with monkeypatch.context() as patch, pytest.raises(MemoryShortage, match="goes on from here"):
        patch.setattr(where, at, fail)
        check_loads(model.gguf)
    check_loads(model.gguf)


def test_only_the_template_is_rendered_within_bounds(model, monkeypatch):
    llama, limits = ggml.llama_library(), []
    answer = llama.Llama.create_completion

    def looking(self, prompt, **options):
        limits.append(resource.getrlimit(resource.RLIMIT_AS))
        text = self.detokenize(prompt, special=True).decode()
        assert text.startswith("<|im_start|>user\n") and text.endswith("<|im_start|>assistant\n")
        return answer(self, prompt, **options)

    monkeypatch.setattr(llama.Llama, "create_completion", looking)
    check_loads(model.gguf)
    assert limits == [resource.getrlimit(resource.RLIMIT_AS)]


def with_template(model: Tiny, path: Path, template: str) -> Path:
    """The model's file with another chat template of the same length."""
    old = TEMPLATE.encode()
    assert model.gguf.read_bytes().count(old) == 1
    path.write_bytes(model.gguf.read_bytes().replace(old, template.encode().ljust(len(old))))
    return path


def test_a_template_that_never_ends_is_not_rendered_for_ever(model, tmp_path, monkeypatch):
    template = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    monkeypatch.setattr(bounded, "SECONDS", 0.05)
    with pytest.raises(ModelError, match="processor time"):
        check_loads(with_template(model, tmp_path / "m.gguf", template))


def test_nor_is_it_computed_for_ever_when_llama_cpp_python_compiles_it(
    model, tmp_path, monkeypatch
):
    """Which it does by itself, when it loads the file."""
    monkeypatch.setattr(bounded, "SECONDS", 0.05)
    with pytest.raises(ModelError, match=r"chat_template cannot be read .*processor time"):
        check_loads(with_template(model, tmp_path / "m.gguf", "{{ 3**10000000 > 0 }}"))


def test_a_template_that_is_not_jinja_is_told(model, tmp_path):
    with pytest.raises(ModelError, match="chat_template cannot be read"):
        check_loads(with_template(model, tmp_path / "m.gguf", "{% if %}"))


def test_a_template_that_refuses_a_question_is_rejected(model, tmp_path):
    with pytest.raises(ExportRejected, match=r"cannot answer \(no questions"):
        check_loads(
            with_template(model, tmp_path / "m.gguf", "{{ raise_exception('no questions') }}")
        )


def test_a_value_that_is_not_finite_is_rejected(model, tmp_path):
    gguf = read_header(model.gguf)
    raw = bytearray(model.gguf.read_bytes())
    at = gguf.tensors["blk.1.attn_norm.weight"].offset
    raw[at : at + 4] = np.float32(np.nan).tobytes()
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(raw)
    with pytest.raises(ExportRejected, match=r"blk\.1\.attn_norm\.weight"):
        check_loads(broken)


def test_prepare_reports_and_is_done_once(model, tmp_path):
    made = prepare.PrepareRequest(model=model.gguf, work_dir=tmp_path / "start")
    events: list = []
    summary = prepare.run(made, events.append)
    assert (summary.gguf, summary.architecture) == (model.gguf, "qwen3")
    assert [e.done for e in events if isinstance(e, StageProgress)][-1] == events[0].total
    events.clear()
    assert prepare.run(made, events.append) == summary
    assert events[-1].skipped


def _changed_values(old_path: Path, new_path: Path):
    """(name, new values) of the tensors whose bytes differ."""
    old, new = read_header(old_path), read_header(new_path)
    assert old.raw(0, old.data_start) == new.raw(0, new.data_start)
    for name, tensor in new.tensors.items():
        before, after = (b"".join(f.chunks(f.tensors[name])) for f in (old, new))
        if before != after:
            yield name, ggml.to_float32(tensor.type, after)


@pytest.mark.real
@needs_seed
def test_seed_without_training_stays_the_same_file(seed, tmp_path):
    adapter = seed.write_adapter(tmp_path / "adapter", 0.0, ("_proj",))
    made = request(seed, adapter, tmp_path / "round")
    run(made)
    assert made.out.read_bytes() == seed.gguf.read_bytes()
    assert (made.merged / "model.safetensors").read_bytes() == (
        seed.master / "model.safetensors"
    ).read_bytes()


@pytest.mark.real
@needs_seed
@pytest.mark.parametrize("quant", ["same", "Q4_K_M", "Q6_K"])
def test_seed_with_training_holds_the_merged_weights(seed, tmp_path, quant):
    adapter = seed.write_adapter(tmp_path / "adapter", 0.02, MODULES)
    made = request(seed, adapter, tmp_path / "round", quant=quant)
    run(made)
    merged, new = read_folder(made.merged), read_header(made.out)
    if quant == "same":
        changed = {name for name, _ in _changed_values(seed.gguf, made.out)}
        assert {name.split(".")[2] for name in changed} == {"attn_q", "attn_v", "ffn_up"}
    allowed = {"same": 0.01, "Q6_K": 0.04, "Q4_K_M": 0.12}[quant]
    for name, tensor in new.tensors.items():
        stored = merged.tensors[names.to_hf(name)]
        raw = np.fromfile(stored.file, np.uint8, stored.size, offset=stored.start)
        wanted = ggml.to_float32({"F16": 1, "BF16": 30, "F32": 0}[stored.dtype], raw.tobytes())
        found = ggml.to_float32(tensor.type, b"".join(new.chunks(tensor)))
        error = np.sqrt(np.mean((found - wanted) ** 2) / np.mean(wanted**2))
        assert error < allowed, (name, error)


@pytest.mark.real
@needs_seed
def test_seed_adapter_with_nan_is_rejected(seed, tmp_path):
    adapter = seed.write_adapter(tmp_path / "adapter", 0.02, MODULES)
    factors = load_file(adapter / "adapter_model.safetensors")
    factors["base_model.model.model.layers.2.mlp.up_proj.lora_A.weight"][0, 0] = np.nan
    save_file(factors, adapter / "adapter_model.safetensors")
    with pytest.raises(ExportRejected, match=r"model\.layers\.2\.mlp\.up_proj\.weight"):
        run(request(seed, adapter, tmp_path / "round"))
    assert not (tmp_path / "round" / "model.gguf").exists()


@pytest.mark.real
@needs_seed
def test_seed_adapter_written_by_peft_is_merged_as_peft_merges_it(seed, tmp_path):
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(seed.master, dtype=torch.float32)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    config = LoraConfig(r=8, lora_alpha=16, target_modules=targets, task_type="CAUSAL_LM")
    tuned = get_peft_model(base, config)
    torch.manual_seed(0)
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.02)
    tuned.save_pretrained(tmp_path / "adapter")
    made = request(seed, tmp_path / "adapter", tmp_path / "round")
    run(made)
    again = AutoModelForCausalLM.from_pretrained(seed.master, dtype=torch.float32)
    expected = PeftModel.from_pretrained(again, tmp_path / "adapter").merge_and_unload()
    found = AutoModelForCausalLM.from_pretrained(made.merged, dtype=torch.float32)
    theirs = dict(expected.named_parameters())
    for name, weight in found.named_parameters():
        wanted = theirs[name].to(torch.bfloat16).float()
        # One step of bfloat16 where the two round a value to different sides.
        assert torch.allclose(weight, wanted, rtol=2**-7, atol=1e-7), name


@pytest.mark.parametrize("quant", ["same", "Q8_0"])
def test_a_tied_model_whose_file_has_its_output_matrix_comes_out_whole(tmp_path, quant):
    tied = with_own_output(Tiny.write(tmp_path / "tiny", "qwen3", tied=True))
    model = quantised(tied, "Q4_K_M")
    adapter = model.write_adapter(tmp_path / "adapter", 0.05, MODULES)
    made = request(model, adapter, tmp_path / "round", quant=quant, gate=True)
    run(made)
    assert has_passed(parity_file(made.out))
    old, new = read_header(model.gguf), read_header(made.out)
    assert set(new.tensors) == set(old.tensors)
    embedding = model.weights()["model.embed_tokens.weight"].astype(np.float32)
    _, output = next(ggml.slabs(new, new.tensors["output.weight"]))
    error = np.std(output.reshape(embedding.shape) - embedding) / np.std(embedding)
    assert error < 0.02  # Q6_K or Q8_0 of just that matrix
    # The next round begins with both.
    second = Tiny(made.merged, made.out, model.architecture)
    run(request(second, second.write_adapter(tmp_path / "b", 0.05, MODULES), tmp_path / "next"))
