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
    monkeypatch.setattr("localdistill.manifest.file_digest", lambda path: "other")
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


@pytest.mark.parametrize(
    ("quant", "made"), [("same", "Q4_K_M"), ("q8_0", "Q8_0"), ("IQ3_M", "Q4_K_M")]
)
def test_the_starting_file_is_made_in_the_type_that_is_exported_to(
    requests, config, tmp_path, quant, made
):
    run(config, tmp_path, export={"quant": quant})
    (prepared,) = [request for name, request in requests if name == "prepare"]
    assert prepared.quant == made


def test_template_and_tokens_are_compared_when_a_run_begins_and_not_when_it_goes_on(
    requests, config, tmp_path
):
    for _ in range(2):
        run(config, tmp_path)
    compared = [request.compare_tokens for name, request in requests if name == "prepare"]
    assert compared == [True, False]


@pytest.fixture
def folder(tmp_path):
    """A model folder, as far as anybody looks into it here."""
    path = tmp_path / "model"
    path.mkdir()
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_bytes(b"weights")
    return path


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("made", [False, True])
def test_the_manifest_notices_a_changed_model_folder(
    requests, config, tmp_path, folder, name, made
):
    run({**config, "model": str(folder)}, tmp_path)
    start = tmp_path / "run" / "start"
    if made:  # else the file has to be made again before it is known
        (start / "start.gguf").rename(start / "model.gguf")
    run({**config, "model": str(folder)}, tmp_path)
    requests.clear()
    (folder / name).write_bytes(b'{"other": 1}')
    with pytest.raises(ConfigError, match="model folder has changed"):
        run({**config, "model": str(folder)}, tmp_path)
    assert [stage for stage, _ in requests] == [] if made else ["prepare"]
