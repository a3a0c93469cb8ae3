"""Models that can be read and not be trained: `run` says so at its start, before any sampling."""

from __future__ import annotations

import json
import shutil

import gguf
import numpy as np
import pytest
from safetensors.numpy import save_file

from localdistill import pipeline
from tests.quantization.tiny import Tiny, quantised, write_gguf


@pytest.fixture(autouse=True)
def no_stage(monkeypatch):
    def run_stage(stage, *_, **how):
        raise AssertionError(f"{stage} was begun")

    monkeypatch.setattr(pipeline.session, "run_stage", run_stage)


@pytest.fixture
def refused_model(refused, problems):
    return lambda model: refused("run", "--model", model, "--problems", problems)


@pytest.mark.parametrize("architecture", ["llama", "qwen2moe", "qwen3moe", "gemma3"])
def test_a_gguf_of_another_architecture(refused_model, world, tiny, architecture):
    write_gguf(world / "m.gguf", architecture, tiny.weights())
    line = refused_model(world / "m.gguf")
    assert repr(architecture) in line
    assert "Take a dense model of one of: qwen2, qwen3" in line


def test_a_folder_of_another_architecture(refused_model, world, tiny):
    folder = shutil.copytree(tiny.master, world / "hf")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "llama"}))
    assert "'llama'" in refused_model(folder)


def test_a_folder_that_is_quantised(refused_model, world, tiny):
    folder = shutil.copytree(tiny.master, world / "hf")
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "awq"}
    (folder / "config.json").write_text(json.dumps(config))
    assert "16 bits" in refused_model(folder)


def test_a_tensor_that_the_trainer_does_not_know(refused_model, world, tiny):
    folder = shutil.copytree(tiny.master, world / "hf")
    extra = {"model.visual.weight": np.zeros((4, 256), np.float16)}
    save_file({**tiny.weights(), **extra}, folder / "model.safetensors")
    assert "visual" in refused_model(folder)


def test_a_gguf_with_a_tokenizer_that_cannot_be_rebuilt(refused_model, world, tiny):
    write_gguf(world / "m.gguf", "qwen2", tiny.weights(), pre="llama-bpe")
    assert "give that folder" in refused_model(world / "m.gguf")


def test_a_gguf_without_a_chat_template(refused_model, world, tiny, monkeypatch):
    monkeypatch.setattr(gguf.GGUFWriter, "add_chat_template", lambda self, text: None)
    write_gguf(world / "m.gguf", "qwen2", tiny.weights())
    assert "instruct model" in refused_model(world / "m.gguf")


def test_types_that_need_an_importance_matrix_are_none_for_a_run_to_refuse(
    refused_model, world, monkeypatch
):
    made = quantised(Tiny.write(world / "made", "qwen3"), "Q8_0")
    monkeypatch.setattr("localdistill.quantization.ggml_types.NEED_IMATRIX", {"Q8_0"})
    with pytest.raises(AssertionError, match="prepare was begun"):  # it has examples to make one of
        refused_model(made.gguf)


def test_a_gguf_beside_the_weights_of_another_model(refused_model, world, tiny):
    folder = shutil.copytree(tiny.master, world / "hf")
    other = Tiny.write(world / "other", "qwen2", seed=5)
    shutil.copy(other.gguf, folder)
    assert "not the same model" in refused_model(folder)
