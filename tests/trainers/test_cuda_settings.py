"""What Unsloth is told on a machine with a GPU, by a stand-in for it: no GPU is needed."""

from __future__ import annotations

import ast
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch

from localdistill.trainers import unsloth_qlora
from localdistill.trainers.base import TrainSettings
from localdistill.trainers.loop import Precision

SETTINGS = TrainSettings(model="master", seed=7, rank=8, alpha=32, max_length=1024)


class Model(torch.nn.Module):
    """Stands for what Unsloth gives."""

    def get_base_model(self):
        return SimpleNamespace()


class Unsloth(ModuleType):
    """Notes what it is asked for; ``bfloat16`` is whether its GPU computes in that."""

    def __init__(self) -> None:
        super().__init__("unsloth")
        self.asked: dict[str, dict] = {}
        self.trained = None
        self.bfloat16 = True
        self.FastLanguageModel = SimpleNamespace(
            from_pretrained=self._load, get_peft_model=self._adapt, for_training=self._train
        )

    def is_bfloat16_supported(self) -> bool:
        return self.bfloat16

    def _load(self, **how):
        self.asked["load"] = how
        return "base", "tokenizer"

    def _adapt(self, model, **how):
        assert model == "base"
        self.asked["adapt"] = how
        return Model()

    def _train(self, model):
        self.trained = model


@pytest.fixture
def unsloth(monkeypatch) -> Unsloth:
    fake = Unsloth()
    monkeypatch.setitem(sys.modules, "unsloth", fake)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(unsloth_qlora, "check_4bit", lambda model, folder: None)
    return fake


def test_the_base_is_loaded_in_4_bits_onto_the_first_gpu(unsloth):
    model = unsloth_qlora.load_model(SETTINGS, "none")
    assert unsloth.asked["load"] == {
        "model_name": str(Path.cwd() / "master"),
        "use_exact_model_name": True,
        "max_seq_length": 1024,
        "dtype": None,  # Unsloth's own choice, which is_bfloat16_supported tells
        "load_in_4bit": True,
        "device_map": "cuda:0",
        "trust_remote_code": False,
        "use_gradient_checkpointing": "unsloth",
    }
    assert unsloth.trained is model


def test_what_it_is_told_it_knows():
    """Unsloth takes any other words as well, and passes them on."""
    source = Path(find_spec("unsloth").origin).parent / "models" / "loader.py"
    names = [
        {argument.arg for argument in function.args.args}
        for node in ast.parse(source.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name == "FastLanguageModel"
        for function in node.body
        if isinstance(function, ast.FunctionDef) and function.name == "from_pretrained"
    ]
    assert {"model_name", "use_exact_model_name", "max_seq_length", "device_map"} <= names[0]


@pytest.mark.parametrize(
    ("context", "length", "told"), [(512, 512, 1), (1024, 1024, 0), (4096, 1024, 0)]
)
def test_examples_are_no_longer_than_the_models_context(tmp_path, context, length, told):
    (tmp_path / "config.json").write_text(f'{{"max_position_embeddings": {context}}}')
    settings, said = SETTINGS.model_copy(update={"model": tmp_path}), []
    assert unsloth_qlora.within_context(settings, said.append).max_length == length
    assert len(said) == told


def test_the_adapter_goes_onto_all_linear_layers(unsloth):
    unsloth_qlora.load_model(SETTINGS, "none")
    asked = unsloth.asked["adapt"]
    assert (asked["r"], asked["lora_alpha"], asked["random_state"]) == (8, 32, 7)
    assert set(asked["target_modules"]) == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    }  # fmt: skip
    # Other values take Unsloth's slow path.
    assert (asked["lora_dropout"], asked["bias"]) == (0, "none")
    assert asked["use_gradient_checkpointing"] == "unsloth"


@pytest.mark.parametrize(
    ("keep", "kept", "checkpointing"),
    [(True, "all", False), (False, "none", "unsloth"), ("products", "none", "unsloth")],
)
def test_what_is_kept(unsloth, tmp_path, keep, kept, checkpointing):
    settings = SETTINGS.model_copy(
        update={"model": tmp_path, "keep_activations": keep, "micro_batch_tokens": 512}
    )
    assert unsloth_qlora.sizes(settings) == (512, kept)
    unsloth_qlora.load_model(settings, kept)
    for asked in unsloth.asked.values():
        assert asked["use_gradient_checkpointing"] == checkpointing


def test_the_loop_computes_in_what_the_model_was_loaded_in(unsloth):
    assert unsloth_qlora._precision() == Precision(torch.bfloat16)
    unsloth.bfloat16 = False  # before Ampere: gradients are scaled, or small ones would be zero
    assert unsloth_qlora._precision() == Precision(torch.float16, scaled=True)


def test_without_a_gpu_nothing_names_one(unsloth, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    unsloth_qlora.load_model(SETTINGS, "none")
    assert unsloth.asked["load"]["device_map"] == "cpu"
