"""What a run notes of its beginning, and holds a continuation to."""

import json

import pytest

from localdistill import config as configuration
from localdistill import pipeline
from localdistill.errors import (
    ConfigError,
)
from tests.pipeline.helpers import run


def test_the_size_that_was_chosen_for_the_model_is_kept(requests, config, tmp_path, monkeypatch):
    run(config, tmp_path)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert (manifest["slots"], manifest["gpu_layers"], manifest["cells"]) == (5, 2, 768)
    assert manifest["weights"] == "f16"
    assert (manifest["micro_batch_tokens"], manifest["keep_activations"]) == (640, "products")

    def another_machine(*_):
        raise AssertionError("chosen a second time")

    monkeypatch.setattr(pipeline.beginning, "settled", another_machine)
    monkeypatch.setattr(pipeline.beginning, "settled_training", another_machine)
    run(config, tmp_path)
    trained = [r for name, r in requests if name == "train"]
    assert len(trained) == 2
    assert {(r.micro_batch_tokens, r.keep_activations) for r in trained} == {(640, "products")}
    sampled = [r for name, r in requests if name in ("generate", "decoding", "evaluate")]
    assert len(sampled) == 2 * 5  # both models on dev, each comparison on dev and on eval
    assert {(r.slots, r.gpu_layers, r.weights) for r in sampled} == {(5, 2, "f16")}


def test_the_manifest_has_the_commit_of_a_model_of_the_hub(requests, config, tmp_path):
    folder = tmp_path / "models--Org--Tiny" / "snapshots" / ("0a" * 20)
    run({**config, "model": str(folder)}, tmp_path)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["model"] == {"path": str(folder), "hub": "Org/Tiny", "commit": "0a" * 20}


def test_the_manifest_notices_a_changed_model(requests, config, tmp_path, monkeypatch):
    run(config, tmp_path)
    monkeypatch.setattr("localdistill.manifest.file_hash", lambda path: "other")
    (tmp_path / "run" / "start" / "start.gguf").unlink()
    (tmp_path / "run" / "start").rmdir()
    with pytest.raises(ConfigError, match="has changed"):
        run(config, tmp_path)


def test_the_manifest_notices_a_configuration_that_was_changed_by_hand(requests, config, tmp_path):
    run(config, tmp_path)
    file = tmp_path / "run" / "config.toml"
    file.write_text(file.read_text().replace("rank = 16", "rank = 4"))
    with pytest.raises(ConfigError, match="configuration has changed"):
        run(config, tmp_path, train={"rank": 4})


def test_a_run_goes_on_under_a_version_with_more_settings(requests, config, tmp_path, monkeypatch):
    """As if there had been no ``train.patience`` yet when it was begun."""

    class Older(configuration.Config):
        def to_toml(self):
            text = super().to_toml()
            assert "patience = 0\n" in text
            return text.replace("patience = 0\n", "")

    older = Older.model_validate({**config, "rounds": 1})
    pipeline.run(older, tmp_path / "run", lambda event: None)
    assert "patience" not in (tmp_path / "run" / "config.toml").read_text()
    assert run(config, tmp_path, rounds=1).evaluation is not None
