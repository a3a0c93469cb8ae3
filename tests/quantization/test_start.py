"""What a run may start from, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from localdistill.errors import MissingDependency, ModelError
from localdistill.quantization.convert import _run_converter, convert
from localdistill.quantization.file_type import file_type_of
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.llama_quantize import FILE_TYPES, least_bits
from localdistill.quantization.start import inspect, resolve_start
from tests.quantization.tiny import Tiny, quantised, with_own_output, write_gguf


@pytest.fixture
def pair(q4) -> Path:
    """A folder with both forms."""
    shutil.copyfile(q4.gguf, q4.master / "q4.gguf")
    return q4.master


def test_a_folder_with_both_forms_is_used_as_it_is(pair, tmp_path):
    start = resolve_start(pair, tmp_path / "work")
    assert (start.gguf, start.master) == (pair / "q4.gguf", pair)
    assert not (tmp_path / "work").exists()


def test_a_gguf_file_alone_gets_its_folder_once(q4, tmp_path):
    told = []
    start = resolve_start(q4.gguf, tmp_path / "work", on_tensor=told.append)
    assert start.gguf == q4.gguf
    assert read_folder(start.master).architecture == "qwen3"
    count = len(told)
    assert resolve_start(q4.gguf, tmp_path / "work", on_tensor=told.append) == start
    assert len(told) == count > 0


def test_a_folder_with_a_gguf_file_only_is_that_file(q4, tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copyfile(q4.gguf, folder / "q4.gguf")
    assert resolve_start(folder, tmp_path / "work").gguf == folder / "q4.gguf"


@pytest.mark.parametrize("difference", ["weights", "architecture", "vocabulary", "layers", "tied"])
def test_two_different_models_are_refused(pair, q4, tmp_path, difference):
    if difference == "weights":  # same shapes, same tokenizer: another training run
        weights = Tiny.write(tmp_path / "other", "qwen3", seed=7).weights()
        norms = {name: value for name, value in q4.weights().items() if "norm" in name}
        save_file({**weights, **norms}, pair / "model.safetensors")
    elif difference == "architecture":
        other = quantised(Tiny.write(tmp_path / "other", "qwen2"), "Q8_0")
        shutil.copyfile(other.gguf, pair / "q4.gguf")
    elif difference == "vocabulary":
        text = (pair / "tokenizer.json").read_text()
        (pair / "tokenizer.json").write_text(text.replace("<|im_end|>", "<|im_halt|>"))
    elif difference == "layers":
        weights = {n: v for n, v in q4.weights().items() if "layers.1" not in n}
        save_file(weights, pair / "model.safetensors")
    else:
        weights = {n: v for n, v in q4.weights().items() if n != "lm_head.weight"}
        save_file(weights, pair / "model.safetensors")
    with pytest.raises(ModelError, match="not the same model"):
        resolve_start(pair, tmp_path / "work")


@pytest.mark.parametrize(
    "content",
    [
        '{"model": []}',
        '{"model": {"vocab": 3}}',
        '{"model": {"vocab": {"a": "b"}}}',
        '{"model": {"vocab": {"a": -1000000}}}',
        '{"added_tokens": [{}]}',
        '{"added_tokens": [{"content": [], "id": 1}]}',
    ],
)
def test_a_tokenizer_of_another_kind_is_told(pair, tmp_path, content):
    (pair / "tokenizer.json").write_text(content)
    with pytest.raises(ModelError, match="not a byte-level BPE tokenizer"):
        resolve_start(pair, tmp_path / "work")


def test_a_fine_tune_of_the_same_model_is_told_by_its_norms(pair, q4, tmp_path):
    weights = q4.weights()
    weights["model.norm.weight"] *= 1.02
    save_file(weights, pair / "model.safetensors")
    with pytest.raises(ModelError, match="output_norm"):
        resolve_start(pair, tmp_path / "work")


def test_a_tied_model_may_have_its_output_matrix_in_the_file(tmp_path):
    tied = Tiny.write(tmp_path / "tiny", "qwen2", tied=True)
    shutil.copyfile(quantised(with_own_output(tied), "Q4_K_M").gguf, tied.master / "q4.gguf")
    start = resolve_start(tied.master, tmp_path / "work")
    assert start.master == tied.master
    assert "output.weight" in read_header(start.gguf).tensors


def test_an_output_matrix_that_is_not_the_embedding_is_another_model(tmp_path):
    tied = Tiny.write(tmp_path / "tiny", "qwen2", tied=True)
    other = Tiny.write(tmp_path / "other", "qwen2", seed=7).weights()["lm_head.weight"]
    shutil.copyfile(with_own_output(tied, other).gguf, tied.master / "f16.gguf")
    with pytest.raises(ModelError, match=r"not the same model: 'output\.weight' differs"):
        resolve_start(tied.master, tmp_path / "work")


def test_several_gguf_files_are_refused_by_name(pair, tmp_path):
    shutil.copyfile(pair / "q4.gguf", pair / "other.gguf")
    with pytest.raises(ModelError, match=r"other\.gguf, q4\.gguf"):
        resolve_start(pair, tmp_path / "work")


@pytest.mark.parametrize("what", ["missing", "empty folder", "llama folder", "llama gguf", "awq"])
def test_what_cannot_be_started_from_is_refused(tiny, tmp_path, what):
    model = tiny.master
    if what == "missing":
        model = tmp_path / "none"
    elif what == "empty folder":
        model = tmp_path / "empty"
        model.mkdir()
    elif what == "llama gguf":
        model = tmp_path / "llama.gguf"
        write_gguf(model, "llama", tiny.weights())
    else:
        config = json.loads((model / "config.json").read_text())
        key = "model_type" if what == "llama folder" else "quantization_config"
        (model / "config.json").write_text(json.dumps({**config, key: "llama"}))
    with pytest.raises(ModelError) as refusal:
        resolve_start(model, tmp_path / "work")
    assert str(model) in str(refusal.value)
    if "llama" in what:
        assert "qwen2, qwen3" in str(refusal.value)


def test_a_missing_converter_is_told_with_the_fix(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(MissingDependency, match="make install"):
        resolve_start(tiny.master, tmp_path / "work")


def test_a_package_that_the_converter_lacks_is_told(tiny, tmp_path, monkeypatch):
    script = tmp_path / "convert.py"
    script.write_text("import no_such_package")
    monkeypatch.setattr("localdistill.quantization.convert.converter", lambda: script)
    with pytest.raises(MissingDependency, match="pip install no_such_package"):
        resolve_start(tiny.master, tmp_path / "work")


@pytest.mark.real
def test_a_tokenizer_that_the_converter_does_not_know_is_told(tiny, tmp_path):
    pytest.importorskip("sentencepiece", reason="the converter imports it")
    with pytest.raises(ModelError, match="does not know its tokenizer"):
        resolve_start(tiny.master, tmp_path / "work")
    assert not list((tmp_path / "work").iterdir())


@pytest.fixture
def lenient_converter(tmp_path, monkeypatch):
    """The converter itself, with the one refusal of a made-up tokenizer taken out."""
    pytest.importorskip("sentencepiece", reason="the converter imports it")
    script = tmp_path / "convert.py"
    real = Path(sys.prefix) / "share" / "localdistill" / "llama.cpp"
    script.write_text(
        "import runpy, sys\n"
        f"sys.path.insert(0, {str(real)!r})\n"
        "import conversion.base as base\n"
        "base.TextModel.get_vocab_base_pre = lambda self, tokenizer: 'qwen2'\n"
        f"sys.argv[0] = {str(real / 'convert_hf_to_gguf.py')!r}\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    monkeypatch.setattr("localdistill.quantization.convert.converter", lambda: script)


@pytest.mark.real
def test_a_folder_alone_is_converted_once(tiny, tmp_path, monkeypatch, lenient_converter):
    start = resolve_start(tiny.master, tmp_path / "work", quant="Q8_0")
    assert start.master == tiny.master
    made, ours = read_header(start.gguf), read_header(quantised(tiny, "Q8_0").gguf)
    for name, tensor in ours.tensors.items():
        assert b"".join(made.chunks(made.tensors[name])) == b"".join(ours.chunks(tensor)), name
    monkeypatch.setattr("localdistill.quantization.convert.converter", None)
    convert(read_folder(tiny.master), start.gguf, "Q8_0")  # not called again


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        ({"float16"}, "f16"),
        ({"bfloat16"}, "bf16"),
        ({"float16", "bfloat16"}, "f32"),  # as merging leaves a folder
        ({"bfloat16", "float32"}, "f32"),
    ],
)
def test_the_converter_is_asked_for_a_type_that_holds_all_matrices(
    tiny, tmp_path, monkeypatch, types, wanted
):
    import torch
    from safetensors.torch import load_file
    from safetensors.torch import save_file as save

    path, names = tiny.master / "model.safetensors", sorted(types)
    weights = {
        name: value.to(getattr(torch, names[number % len(names)])) if value.ndim > 1 else value
        for number, (name, value) in enumerate(load_file(path).items())
    }
    save(weights, path, metadata={"format": "pt"})
    asked = []

    def noted(command, **how):
        asked.append(command[-1])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr("localdistill.quantization.convert.converter", lambda: tmp_path)
    monkeypatch.setattr("localdistill.quantization.convert.subprocess.run", noted)
    _run_converter(read_folder(tiny.master), tmp_path / "out.gguf")
    assert asked == [wanted]


@pytest.fixture
def conversions(tiny, monkeypatch) -> list[Path]:
    """llama.cpp's converter is stood in for: which folders it was given."""
    seen = []

    def stand_in(master, out):
        seen.append(master.path)
        shutil.copyfile(tiny.gguf, out)

    monkeypatch.setattr("localdistill.quantization.convert._run_converter", stand_in)
    return seen


def test_a_file_of_other_weights_or_of_another_type_is_made_anew(tiny, tmp_path, conversions):
    out = tmp_path / "work" / "model.gguf"

    def made(folder, quant):
        before = len(conversions)
        assert file_type_of(read_header(convert(read_folder(folder), out, quant))) == quant
        return len(conversions) > before

    assert made(tiny.master, "Q8_0")
    assert not made(tiny.master, "Q8_0")
    assert made(tiny.master, "Q4_0")
    moved = tmp_path / "moved"
    shutil.copytree(tiny.master, moved)
    assert not made(moved, "Q4_0")
    weights = {name: 1.5 * value for name, value in tiny.weights().items()}
    save_file(weights, moved / "model.safetensors")
    assert made(moved, "Q4_0")
    assert not made(moved, "Q4_0")


@pytest.mark.parametrize(
    ("quant", "bits"), [("same", 4.5), ("Q8_0", 8.5), ("q2_k", 2.625), ("IQ3_M", 4.5)]
)
def test_what_a_file_that_is_yet_to_be_made_takes_is_a_lower_bound(tiny, monkeypatch, quant, bits):
    monkeypatch.setattr("localdistill.quantization.start.converter", lambda: None)
    weights = sum(value.size for value in tiny.weights().values())
    assert inspect(tiny.master, quant).gguf == int(weights * bits / 8)


def test_a_bound_is_known_of_every_type():
    assert all(least_bits(name) > 0 for name in FILE_TYPES)


# Python runs it in every process before anything else.
NO_WAY_OUT = """
import socket, subprocess

def refuse(*arguments, **named):
    with open({seen!r}, "a") as file:
        file.write(f"{{arguments[:2]}}\\n")
    raise OSError("the converter wanted a network or a program")

socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
subprocess.Popen.__init__ = refuse
"""


@pytest.mark.real
def test_converting_needs_no_network_no_compiler_and_no_git(
    tiny, tmp_path, monkeypatch, lenient_converter
):
    site = tmp_path / "site"
    site.mkdir()
    seen = tmp_path / "seen"
    (site / "sitecustomize.py").write_text(NO_WAY_OUT.format(seen=str(seen)))
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("PATH", str(tmp_path / "no-programs"))
    start = resolve_start(tiny.master, tmp_path / "work", quant="Q8_0")
    assert read_header(start.gguf).architecture == tiny.architecture
    assert not seen.exists(), seen.read_text()
