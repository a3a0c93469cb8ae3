"""The bundled entries are complete, agree with each other and with the bundled model's files."""

import json
import struct
from math import prod
from pathlib import Path

import pytest

from localdistill import config as configuration
from localdistill.catalogue import memory
from localdistill.catalogue.entry import Entry
from localdistill.catalogue.load import read_catalogue, read_entry
from localdistill.errors import ConfigError
from localdistill.models import models_dir

MODELS = Path(__file__).parents[2] / "models"
EXPECTED = {
    "seed",
    *(f"qwen2.5-coder-{size}-instruct" for size in ("0.5b", "1.5b", "3b", "7b", "14b")),
    *(f"qwen3-{size}" for size in ("0.6b", "1.7b", "4b", "8b", "14b")),
    "qwen3-4b-instruct-2507",
    "qwen3-4b-thinking-2507",
    "qwen3-coder-30b-a3b-instruct",
}


def test_every_file_is_an_entry_and_every_known_model_has_one(entries):
    assert {entry.name for entry in entries} == EXPECTED
    assert {file.stem for file in MODELS.glob("*.toml")} == EXPECTED
    assert entries[0].name == "seed"


def test_every_file_is_commented():
    for file in MODELS.glob("*.toml"):
        assert file.read_text(encoding="utf-8").startswith("# "), file.name


def test_the_parameters_that_the_architecture_gives_round_to_the_published_number(entries):
    checked = 0
    for entry in entries:
        if entry.published_parameters is None:
            continue
        digits = len(entry.published_parameters.partition(".")[2].rstrip("B"))
        count = memory.parameters(entry.architecture) / 1e9
        # Makers cut rather than round some of them (14.77 as 14.7).
        assert abs(count - float(entry.published_parameters.rstrip("B"))) < 10**-digits, entry.name
        checked += 1
    assert checked >= 8


def test_hub_ids_name_the_model_and_its_gguf(entries):
    for entry in entries:
        if entry.hub is None:
            continue
        assert entry.hub.weights.startswith("Qwen/")
        assert entry.hub.weights.split("/")[1].lower() == entry.name
        assert entry.hub.gguf.split("/")[1] == entry.hub.weights.split("/")[1] + "-GGUF"
        assert entry.hub.gguf_official == entry.hub.gguf.startswith("Qwen/")
        assert entry.hub.gguf_file.lower().startswith(entry.name)


def test_only_the_3b_coder_is_not_apache(entries):
    others = {entry.name for entry in entries if entry.licence.id != "Apache-2.0"}
    assert others == {"qwen2.5-coder-3b-instruct"}


def test_what_cannot_be_trained_says_why(entries):
    reasons = {entry.name: entry.why_not_trainable for entry in entries if not entry.trainable}
    assert set(reasons) == {"qwen3-coder-30b-a3b-instruct"}
    assert "qwen3moe" in reasons["qwen3-coder-30b-a3b-instruct"]
    assert all(entry.why_not_trainable is None for entry in entries if entry.trainable)


def test_the_papers_own_settings_are_only_called_published_for_its_own_models(entries):
    own = {e.name for e in entries if e.hub and e.sampling.self_distillation.published}
    assert own == {"qwen3-4b-instruct-2507", "qwen3-4b-thinking-2507"}


def safetensors_parameters(path):
    with path.open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    return sum(prod(t["shape"]) for name, t in header.items() if name != "__metadata__")


def test_the_seeds_entry_is_what_its_files_are(by_name):
    seed, folder = by_name["seed"], MODELS / "seed"
    config = json.loads((folder / "config.json").read_text())
    a = seed.architecture
    assert (a.layers, a.width) == (config["num_hidden_layers"], config["hidden_size"])
    assert (a.vocabulary, a.tied) == (config["vocab_size"], config["tie_word_embeddings"])
    weights = folder / "model.safetensors"
    assert memory.parameters(a) == safetensors_parameters(weights)
    assert weights.stat().st_size == pytest.approx(2 * memory.parameters(a), rel=0.01)
    (gguf,) = folder.glob("*q8_0.gguf")
    assert gguf.stat().st_size == pytest.approx(memory.gguf_size(a, "Q8_0"), rel=0.02)


def test_the_seeds_sampling_is_what_run_does(by_name):
    run = configuration.build(configuration.read_toml(MODELS / "seed" / "run.toml"))
    advice = by_name["seed"].sampling
    assert advice.self_distillation.temperature == run.generate.temperature
    assert advice.evaluation.temperature == run.evaluate.temperature


def entry_text(**changes):
    text = (MODELS / "qwen3-8b.toml").read_text(encoding="utf-8")
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new, 1)
    return text


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("summary =", "sumary =", "summary is missing"),
        ('title = "Qwen3 8B"', 'title = "Qwen3 8B"\ntilte = "x"', "no field tilte. Did you mean"),
        ("layers = 36\n", "", "architecture.layers is missing"),
        ("layers = 36", "layers = -1", "architecture.layers"),
        ('weights = "Qwen/Qwen3-8B"', 'weights = "Qwen3-8B"', "hub.weights"),
        ('type = "qwen3"', 'type = "llama"', "architecture.type"),
        ("temperature = 1.1", "temperature = -1", "sampling.self_distillation.temperature"),
        ("licence = [", "license = [", "sources.license"),
        ('context = ["https', 'context = ["file', "sources.context"),
        ("[unchecked]", "[unchecked]\nnothing = 'x'", "unchecked.nothing"),
        ('name = "qwen3-8b"', 'name = "qwen3-9b"', "the file's own name"),
        ('name = "qwen3-8b"', "name = ", "not valid TOML"),
    ],
)
def test_a_wrong_entry_is_one_line_that_names_the_field(tmp_path, old, new, named):
    file = tmp_path / "qwen3-8b.toml"
    file.write_text(entry_text(change=(old, new)), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_catalogue(tmp_path)
    assert str(file) in str(caught.value)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_fact_without_a_source_is_refused(by_name):
    values = by_name["qwen3-8b"].model_dump()
    values["sources"] = {k: v for k, v in values["sources"].items() if k != "evaluation"}
    with pytest.raises(ValueError, match="evaluation has no source"):
        Entry.model_validate(values)
    values["unchecked"] = {**values["unchecked"], "evaluation": "nobody knows"}
    assert Entry.model_validate(values).unchecked["evaluation"] == "nobody knows"


def test_a_bundled_entry_whose_folder_is_broken_is_an_error(tmp_path):
    (tmp_path / "seed.toml").write_text((MODELS / "seed.toml").read_text())
    with pytest.raises(ConfigError, match="Install again"):
        read_entry(tmp_path / "seed.toml")


def test_the_catalogue_is_where_the_installed_package_looks():
    assert models_dir() == MODELS
    data_files = (MODELS.parent / "pyproject.toml").read_text()
    assert '"share/localdistill/models" = ["models/*.toml"]' in data_files
