"""The new GGUF differs from the starting one in the changed tensors' data, and in nothing else."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from safetensors.numpy import save_file

from localdistill.errors import ExportRejected, MemoryShortage, ModelError
from localdistill.quantization import ggml, ggml_types, llama_quantize, names
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.llama_quantize import file_type, quantise_file
from localdistill.quantization.merge import merge
from localdistill.quantization.quantise import quantise
from tests.quantization.tiny import Tiny, quantised, with_own_output

MODULES = ("q_proj", "v_proj", "down_proj", "lm_head")


def export(model: Tiny, tmp_path, quant="same", scale=0.05, on_tensor=lambda name: None):
    adapter = model.write_adapter(tmp_path / "adapter", scale, MODULES)
    changed = merge(model.master, adapter, tmp_path / "merged", {})
    out = tmp_path / "new.gguf"
    weights = read_folder(tmp_path / "merged")
    quantise(read_header(model.gguf), weights, changed, quant, out, on_tensor)
    return out, {names.to_gguf(name) for name in changed}


def values(path, name):
    gguf = read_header(path)
    return np.concatenate([piece for _, piece in ggml.slabs(gguf, gguf.tensors[name])])


@pytest.mark.parametrize("quant", ["F16", "BF16", "Q8_0", "Q4_K_M", "Q4_0", "IQ4_XS", "Q3_K_M"])
def test_only_the_data_of_changed_tensors_differ(tmp_path, quant):
    model = quantised(Tiny.write(tmp_path / "tiny", "qwen3"), quant)
    told = []
    out, changed = export(model, tmp_path, on_tensor=told.append)
    old, new = read_header(model.gguf), read_header(out)
    assert old.raw(0, old.data_start) == new.raw(0, new.data_start)
    assert old.size == new.size
    assert sorted(told) == sorted(old.tensors)
    for name, tensor in old.tensors.items():
        same = old.raw(tensor.offset, tensor.offset + tensor.size) == new.raw(
            tensor.offset, tensor.offset + tensor.size
        )
        assert same == (name not in changed), name
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "adapter", "merged", "merged.done", "new.gguf", "tiny",
    ]  # fmt: skip


def test_changed_tensors_hold_the_merged_weights(q4, tmp_path):
    out, changed = export(q4, tmp_path)
    merged = read_folder(tmp_path / "merged")
    original = read_folder(q4.master)
    for name in changed:
        found = values(out, name)
        for folder, close in ((merged, True), (original, False)):
            stored = folder.tensors[names.to_hf(name)]
            wanted = np.fromfile(stored.file, np.float16, found.size, offset=stored.start)
            error = np.sqrt(np.mean((found - wanted.astype(np.float32)) ** 2) / np.mean(found**2))
            # Q4_K is off by some 7% of a weight's size; the update is several times larger.
            assert (error < 0.1) == close, (name, error)


def test_nothing_changed_gives_the_same_file(q4, tmp_path):
    out, changed = export(q4, tmp_path, scale=0.0)
    assert not changed
    assert out.read_bytes() == q4.gguf.read_bytes()


def test_the_types_own_name_means_the_same(q4, tmp_path):
    out, _ = export(q4, tmp_path, quant="q4_k_m", scale=0.0)
    assert out.read_bytes() == q4.gguf.read_bytes()


@pytest.mark.parametrize(
    ("start", "wanted"), [("Q4_K_M", "Q8_0"), ("F16", "Q4_K_M"), ("Q8_0", "F16")]
)
def test_another_type_is_what_llama_cpp_makes_of_the_master(tmp_path, start, wanted):
    base = Tiny.write(tmp_path / "tiny", "qwen3")
    model = quantised(base, start)
    told = []
    out, changed = export(model, tmp_path, quant=wanted, on_tensor=told.append)
    old, new = read_header(model.gguf), read_header(out)
    assert list(new.tensors) == list(old.tensors)
    assert sorted(told) == sorted(old.tensors)
    differing = {
        key for key in old.entries
        if old.raw(old.entries[key].start, old.entries[key].end)
        != new.raw(new.entries[key].start, new.entries[key].end)
    }  # fmt: skip
    assert differing == {"general.file_type"}
    assert list(new.entries) == list(old.entries)
    assert new.get("general.file_type") == file_type(wanted)
    # llama.cpp's own quantisation of the unquantised starting file: same types, and same bytes
    # where nothing was trained.
    expected = read_header(quantised(base, wanted).gguf)
    for name, tensor in expected.tensors.items():
        assert new.tensors[name].type == tensor.type, name
        if name not in changed:
            theirs = expected.raw(tensor.offset, tensor.offset + tensor.size)
            assert b"".join(new.chunks(new.tensors[name])) == theirs


def test_missing_type_entries_are_added_for_another_type(tmp_path):
    base = Tiny.write(tmp_path / "tiny", "qwen2")
    raw = base.gguf.read_bytes()
    for key in (b"general.file_type", b"general.quantization_version"):
        raw = raw.replace(key, key[:-1] + b"X")
    base.gguf.write_bytes(raw)
    out, _ = export(base, tmp_path, quant="Q8_0")
    new = read_header(out)
    assert new.get("general.file_type") == file_type("Q8_0")
    assert new.get("general.quantization_version") == 2


def test_llama_model_quantize_and_ggml_quantize_chunk_agree(q4, tmp_path):
    out, _ = export(q4, tmp_path)
    new = read_header(out)
    tensor = new.tensors["blk.1.ffn_down.weight"]
    stored = read_folder(tmp_path / "merged").tensors[names.to_hf(tensor.name)]
    rows, columns = tensor.shape
    source = np.fromfile(stored.file, np.float16, rows * columns, offset=stored.start)
    source = source.astype(np.float32)
    result = np.empty(tensor.size, dtype=np.uint8)
    chunk = ggml._ggml().ggml_quantize_chunk
    chunk.restype = ctypes.c_size_t
    chunk.argtypes = [
        ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p,
        ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p,
    ]  # fmt: skip
    written = chunk(tensor.type, source.ctypes.data, result.ctypes.data, 0, rows, columns, None)
    assert written == tensor.size
    assert result.tobytes() == b"".join(new.chunks(tensor))


@pytest.mark.parametrize("quant", ["IQ2_XXS", "Q9_9", "IQ1_S", ""])
def test_types_that_cannot_be_made_are_refused_naming_others(quant):
    with pytest.raises(ModelError, match="Q4_K_M"):
        file_type(quant)


def test_a_start_in_such_a_type_is_refused_before_any_work(q4, tmp_path, monkeypatch):
    kinds = {ggml_types.type_name(tensor.type) for tensor in read_header(q4.gguf).tensors.values()}
    monkeypatch.setattr(ggml_types, "NEED_IMATRIX", kinds)
    with pytest.raises(ModelError, match="importance matrix"):
        export(q4, tmp_path)
    assert not (tmp_path / "new.gguf").exists()


def test_a_failure_of_llama_cpp_is_told_in_its_words(q4, tmp_path, capfd):
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(q4.gguf.read_bytes()[:2000])
    with pytest.raises(ExportRejected, match=r"could not quantise damaged\.gguf: .*fail"):
        quantise_file(damaged, tmp_path / "out.gguf", kind=file_type("Q8_0"))
    assert capfd.readouterr().out == ""


def test_an_output_matrix_that_is_made_of_the_embedding_changes_with_it(tmp_path):
    model = quantised(with_own_output(Tiny.write(tmp_path / "tiny", "qwen2", tied=True)), "Q8_0")
    weights = model.weights()
    weights["model.embed_tokens.weight"] *= 2
    save_file(weights, model.master / "model.safetensors")
    changed, out = ["model.embed_tokens.weight"], tmp_path / "new.gguf"
    quantise(read_header(model.gguf), read_folder(model.master), changed, "same", out)
    for name in ("token_embd.weight", "output.weight"):
        np.testing.assert_allclose(values(out, name), 2 * values(model.gguf, name), atol=1e-3)


def test_lack_of_memory_is_no_fault_of_the_file(q4, tmp_path, monkeypatch):
    llama = llama_quantize.llama_library()

    def quantize(*arguments):
        say(llama, b"llama_model_quantize: failed to quantize: std::bad_alloc\n")
        return 1

    monkeypatch.setattr(llama, "llama_model_quantize", quantize)
    with pytest.raises(MemoryShortage, match="the same command goes on"):
        quantise_file(q4.gguf, tmp_path / "out.gguf", kind=file_type("Q8_0"))


def test_whoever_had_the_log_has_it_again():
    llama = llama_quantize.llama_library()
    heard = []
    own = llama.llama_log_callback(lambda level, text, data: heard.append(text))
    with llama_quantize.captured_log(llama):
        llama.llama_log_set(own, ctypes.c_void_p(0))
        with llama_quantize.captured_log(llama) as lines:
            say(llama, b"inside")
        say(llama, b"after")
    assert (lines, heard) == (["inside"], [b"after"])


def say(llama, text):
    """As llama.cpp says an error."""
    callback, data = llama.llama_log_callback(), ctypes.c_void_p()
    llama.llama_log_get(ctypes.byref(callback), ctypes.byref(data))
    callback(3, text, data)
