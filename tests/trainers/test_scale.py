"""Who knows by how much gradients are scaled, on a GPU without bfloat16: no GPU is needed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from localdistill.trainers.base import Saved
from localdistill.trainers.checkpoint import Checkpoints
from localdistill.trainers.loop import Precision
from tests.trainers.test_loop import Bigram, train
from tests.trainers.test_loop_continued import stopped_after

torch = pytest.importorskip("torch")


class Wrapped(torch.nn.Module):
    """Stands for PEFT's model around a causal model: ``base_model``, then ``model``, twice."""

    def __init__(self):
        super().__init__()
        self.base_model = torch.nn.Module()
        self.base_model.model = Bigram()  # transformers' causal model
        self.base_model.model.model = torch.nn.Module()

    @property
    def causal(self):
        return self.base_model.model

    def forward(self, **inputs):
        scaler = self.causal.accelerator_scaler
        # As Unsloth's loss does before the loop has scaled anything: see cross_entropy_loss.py.
        self.scales = [*getattr(self, "scales", []), scaler.get_scale()]
        return self.causal(**inputs)


def test_where_gradients_are_scaled_the_causal_model_knows_the_scale(tmp_path, monkeypatch):
    scaled = {"precision": Precision(None, scaled=True), "repeat": 4}
    saved = Saved(tmp_path, "this training")
    model = Wrapped()
    stopped_after(2, monkeypatch, Checkpoints(saved), model, **scaled)
    assert model.scales == [65536.0, 65536.0]
    assert model.accelerator_scaler is model.causal.accelerator_scaler
    # The checkpoint's scale, and not that of a new scaler.
    state, tensors = Checkpoints(saved).load()
    tensors["scaler"][0] = 1024.0
    Checkpoints(saved).save(state, tensors)
    resumed = Wrapped()
    train(resumed, checkpoints=Checkpoints(saved), **scaled)
    assert resumed.scales == [1024.0, 1024.0]


def test_where_they_are_not_no_scale_is_told():
    model = Bigram()
    train(model)
    assert not hasattr(model, "accelerator_scaler")


@pytest.mark.parametrize(
    "place", ["unsloth/models/llama.py", "unsloth/models/mistral.py", "unsloth_zoo/compiler.py"]
)
def test_unsloth_asks_for_it_by_that_name(place):
    package = find_spec(place.split("/")[0])
    if package is None:
        pytest.skip("Unsloth is not installed")
    source = Path(package.origin).parents[1] / place
    assert 'getattr(self, "accelerator_scaler", None)' in source.read_text()
