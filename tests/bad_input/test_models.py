"""Model files and folders that are missing, damaged, or no model at all."""

from __future__ import annotations

import random
import shutil
import struct
from pathlib import Path

import gguf
import pytest

from localdistill.errors import ModelError
from localdistill.quantization.start import inspect


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _noise(size: int) -> bytes:
    return random.Random(1).randbytes(size)


def _metadata_only(path: Path, **values: str | int) -> Path:
    writer = gguf.GGUFWriter(path, "qwen2")
    for name, value in values.items():
        key = name.replace("__", ".")
        writer.add_string(key, value) if isinstance(value, str) else writer.add_uint16(key, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _folder(path: Path, *files: Path) -> Path:
    path.mkdir()
    for file in files:
        shutil.copy(file, path)
    return path


BAD = {
    "missing": lambda at, tiny: at / "none.gguf",
    "empty": lambda at, tiny: _write(at / "m.gguf", b""),
    "a few bytes": lambda at, tiny: _write(at / "m.gguf", b"GGUF\x03"),
    "random": lambda at, tiny: _write(at / "m.gguf", _noise(50_000)),
    "random after the magic": lambda at, tiny: _write(at / "m.gguf", b"GGUF" + _noise(50_000)),
    "random after a header": lambda at, tiny: _write(
        at / "m.gguf", b"GGUF" + struct.pack("<IQQ", 3, 9, 9) + _noise(50_000)
    ),
    "cut in the weights": lambda at, tiny: _write(at / "m.gguf", tiny.gguf.read_bytes()[:-5000]),
    "cut in the header": lambda at, tiny: _write(at / "m.gguf", tiny.gguf.read_bytes()[:700]),
    "big-endian": lambda at, tiny: _write(
        at / "m.gguf", b"GGUF" + struct.pack(">IQQ", 3, 1, 1) + bytes(99)
    ),
    "a vocabulary": lambda at, tiny: _metadata_only(at / "m.gguf"),
    "an adapter": lambda at, tiny: _metadata_only(at / "m.gguf", general__type="adapter"),
    "one part of a split": lambda at, tiny: _metadata_only(
        at / "m-00001-of-00003.gguf", split__count=3
    ),
    "an empty folder": lambda at, tiny: _folder(at / "model"),
    "a folder without config": lambda at, tiny: _folder(
        at / "model", tiny.master / "model.safetensors"
    ),
    "a folder without weights": lambda at, tiny: _folder(at / "model", tiny.master / "config.json"),
    "a folder without tokenizer": lambda at, tiny: _folder(
        at / "model", tiny.master / "config.json", tiny.master / "model.safetensors"
    ),
}
# What would help, in the words of the message.
FIX = {
    "missing": "Give a GGUF file",
    "a vocabulary": "Give the model's own GGUF file",
    "an adapter": "Give the model's file",
    "one part of a split": "llama-gguf-split --merge",
    "an empty folder": "config.json, tokenizer.json and *.safetensors",
    "cut in the weights": "fetch or make it again",
    "a folder without tokenizer": "tokenizer.json",
}


@pytest.fixture
def bad(world, tiny):
    return lambda kind: BAD[kind](world, tiny)


@pytest.mark.parametrize("kind", BAD)
def test_run_refuses_it(refused, bad, problems, kind):
    line = refused("run", "--model", bad(kind), "--problems", problems)
    assert FIX.get(kind, "") in line


@pytest.mark.parametrize("kind", ["missing", "random after a header", "one part of a split"])
def test_generate_refuses_it(refused, bad, problems, kind):
    model = bad(kind)
    line = refused(
        "generate", "--model", model, "--problems", problems, "--out", "new/folder/c.jsonl"
    )
    assert str(model) in line


@pytest.mark.parametrize("role", ["--model", "--baseline"])
def test_evaluate_refuses_it_before_it_samples_the_other(refused, bad, tiny, problems, role):
    other = "--baseline" if role == "--model" else "--model"
    model = bad("cut in the weights")
    line = refused(
        "evaluate", role, model, other, tiny.gguf, "--problems", problems, "--out", "e.json"
    )
    assert str(model) in line


@pytest.mark.parametrize("kind", ["random", "an empty folder"])
def test_export_refuses_it(refused, bad, adapter, kind):
    model = bad(kind)
    line = refused("export", "--model", model, "--adapter", adapter, "--out", "out/m.gguf")
    assert str(model) in line


@pytest.mark.parametrize("kind", ["missing", "a folder without config"])
def test_train_refuses_it(refused, bad, examples, kind):
    model = bad(kind)
    line = refused("train", "--model", model, "--data", examples, "--out", "new/adapter")
    assert str(model) in line


def test_train_names_what_it_wants_instead_of_a_gguf(refused, tiny, examples):
    line = refused("train", "--model", tiny.gguf, "--data", examples, "--out", "adapter")
    assert "Give a Hugging Face folder" in line


@pytest.fixture
def examples(world):
    path = world / "selected.jsonl"
    path.write_text(
        '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], '
        '"problem_id": "p/0", "sample": 0, "strategy": "none"}\n'
    )
    return path


@pytest.mark.parametrize("missing", ["adapter_config.json", "adapter_model.safetensors"])
def test_an_adapter_that_is_not_whole_is_refused(refused, world, tiny, adapter, missing):
    half = shutil.copytree(adapter, world / "half")
    (half / missing).unlink()
    line = refused("export", "--model", tiny.gguf, "--adapter", half, "--out", "m.gguf")
    assert missing in line
    assert "localdistill train" in line


def test_an_adapter_of_another_model_is_refused_and_what_was_made_of_the_model_goes(
    refused, world, tiny, adapter
):
    other = shutil.copytree(adapter, world / "other")
    path = other / "adapter_config.json"
    path.write_text(path.read_text().replace('"r": 4', '"r": 8'))
    line = refused("export", "--model", tiny.gguf, "--adapter", other, "--out", "m.gguf")
    assert "Give the model that the adapter was trained on" in line


def test_no_damage_to_a_header_is_anything_but_a_refusal(tiny, tmp_path):
    whole = tiny.gguf.read_bytes()
    header = len(whole) - sum(path.stat().st_size for path in tiny.master.glob("*.safetensors"))
    dice = random.Random(7)
    path = tmp_path / "m.gguf"
    refusals = 0
    for _ in range(250):
        damaged = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            damaged[dice.randrange(min(header, len(whole)))] = dice.randrange(256)
        cut = dice.choice([len(damaged), dice.randrange(len(damaged))])
        path.write_bytes(damaged[:cut])
        try:
            inspect(path)
        except ModelError as error:
            refusals += 1
            assert str(path) in str(error) or "tensor" in str(error)
    assert refusals > 100
