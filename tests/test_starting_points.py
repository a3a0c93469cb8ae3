"""What may stand where a command wants a model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from localdistill import cli, run_options, stage_commands, starting_points
from localdistill.errors import ConfigError, ModelError, ProblemSetError
from localdistill.stages import fetch
from tests.catalogue.test_stores import write_ollama
from tests.quantization.tiny import Tiny
from tests.stages.hub_server import COMMIT, Hub, serving

REPO = "Org/Tiny-0.1B"
PROBLEM = {"id": "p/1", "prompt": "Write f.", "entry_point": "f"}


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch) -> Path:
    """No model of this machine is found, and no network is there."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "ollama"))
    monkeypatch.setenv("LLAMA_CACHE", str(tmp_path / "no-llama"))
    monkeypatch.setenv("HOME", str(tmp_path))
    here = tmp_path / "here"
    here.mkdir()
    (here / "p.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def ollama(tmp_path) -> Path:
    return write_ollama(tmp_path / "ollama", "registry.ollama.ai/library/tiny/1b", b"GGUF tiny")


@pytest.fixture
def studio(tmp_path) -> Path:
    file = tmp_path / ".lmstudio" / "models" / "org" / "tiny-GGUF" / "tiny-q8_0.gguf"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"GGUF")
    return file


@pytest.fixture
def hub(tmp_path, monkeypatch):
    made = Tiny.write(tmp_path / "hub", "qwen3").master
    with serving(Hub(REPO, made)) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def configured(*arguments):
    given = ["run", "--problems", "p.jsonl", *map(str, arguments)]
    return run_options.run_config(cli.build_parser().parse_args(given))


def cached(tmp_path) -> Path:
    return tmp_path / "hf" / "hub" / "models--Org--Tiny-0.1B" / "snapshots" / COMMIT


def test_what_ollama_and_lm_studio_hold_is_found_by_name(ollama, studio):
    assert starting_points.locate("ollama:tiny:1b") == str(ollama)
    assert starting_points.locate("tiny:1b") == str(ollama)
    assert starting_points.locate("lmstudio:org/tiny-GGUF") == str(studio)
    assert configured("--model", "ollama:tiny:1b").model == str(ollama)


def test_a_bare_name_without_a_tag_is_ollamas_if_it_has_it(tmp_path):
    assert starting_points.locate("small") == "small"
    blob = write_ollama(tmp_path / "ollama", "registry.ollama.ai/library/small/latest", b"s")
    assert starting_points.locate("small") == str(blob)


def test_a_path_that_exists_is_that_path(ollama, alone):
    (alone / "tiny:1b").mkdir()
    (alone / "Org" / "Tiny-0.1B").mkdir(parents=True)
    assert starting_points.locate("tiny:1b") == "tiny:1b"
    assert starting_points.locate(REPO) == REPO
    assert configured("--model", REPO).model == str(alone / REPO)


@pytest.mark.parametrize(
    "given", ["none", "none.gguf", "../a/b", "here/m", "/a/b", "models/m.gguf"]
)
def test_what_looks_like_a_path_is_one(given, alone):
    (alone / "here").mkdir()
    assert starting_points.locate(given) == given


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("ollama:none", "Ollama holds no such model"),
        ("none:7b", "Ollama holds no such model"),
        ("lmstudio:none", "LM Studio holds no such model"),
        ("hf:none", "hf:ORGANISATION/NAME"),
    ],
)
def test_a_name_that_means_nothing_is_one_line(given, said):
    with pytest.raises(ConfigError, match=said):
        starting_points.locate(given)


def test_a_model_of_the_hub_is_fetched_once(hub, tmp_path, capsys):
    config = configured("--model", REPO, "--progress", "plain")
    assert config.model == str(cached(tmp_path))
    assert f"fetch {REPO}: " in capsys.readouterr().out
    asked = len(hub.requests)
    assert configured("--model", f"hf:{REPO}") == config
    assert configured("--model", f"{REPO}@{COMMIT}") == config
    assert len(hub.requests) == asked
    assert starting_points.name_of(Path(config.model)) == "Tiny-0.1B"


def test_it_can_stand_in_a_configuration_file_too(hub, tmp_path, alone, ollama):
    folder = alone / "elsewhere"
    folder.mkdir()
    (folder / "c.toml").write_text(f'model = "{REPO}"\nproblems = "../p.jsonl"\n')
    options = cli.build_parser().parse_args(["run", str(folder / "c.toml")])
    assert run_options.run_config(options).model == str(cached(tmp_path))
    assert configured("--model", "m.gguf", "--set", "model=ollama:tiny:1b").model == str(ollama)
    (folder / "m.gguf").write_bytes(b"GGUF")
    (folder / "c.toml").write_text('model = "m.gguf"\nproblems = "../p.jsonl"\n')
    assert run_options.run_config(options).model == str(folder / "m.gguf")


def test_nothing_is_fetched_for_a_run_that_would_be_refused(hub):
    with pytest.raises((ConfigError, ProblemSetError)):
        configured("--model", REPO, "--problems", "none.jsonl")
    with pytest.raises(ConfigError, match="tests"):
        configured("--model", REPO, "--select", "testz")
    assert hub.requests == []


def test_commands_that_fetch_nothing_say_so(hub):
    with pytest.raises(ConfigError, match=f"`hf download {REPO}`"):
        starting_points.locate(REPO, fetch_it=False)
    assert hub.requests == []


def test_without_a_network_both_meanings_are_told():
    with pytest.raises(ModelError, match=r"no file or folder Org/Tiny-0.1B; .*cannot be reached"):
        starting_points.locate(REPO, progress="none")


def test_a_name_on_a_server_is_not_looked_for(capsys, ollama):
    arguments = ["generate", "--server", "http://127.0.0.1:9", "--model", "tiny:1b"]
    with pytest.raises(SystemExit):
        cli.main([*arguments, "--problems", "p.jsonl", "--out", "o.jsonl"])
    assert "127.0.0.1:9" in capsys.readouterr().err


def test_what_the_hubs_cache_lacks_is_not_taken_for_the_model(hub, tmp_path):
    configured("--model", REPO, "--progress", "none")
    request = fetch.FetchRequest(repo=REPO, cache=tmp_path / "hf" / "hub")
    assert fetch.find_fetched(request) == cached(tmp_path)
    (cached(tmp_path) / "tokenizer.json").unlink()
    assert fetch.find_fetched(request) is None
    configured("--model", REPO, "--progress", "none")  # that file only
    assert len(hub.gets("model.safetensors")) == 1
    assert (cached(tmp_path) / "tokenizer.json").exists()
    shutil.rmtree(cached(tmp_path))
    assert fetch.find_fetched(request) is None


@pytest.mark.parametrize("path", ["~/m.gguf", "a b.gguf"])
def test_a_name_is_taken_from_a_file(path, tmp_path):
    assert starting_points.name_of(tmp_path / path) == Path(path).stem


def test_a_folder_here_is_told_by_its_whole_path(tmp_path, monkeypatch):
    """Libraries take ``Qwen/Qwen3-4B`` for the name of a model on the hub."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Qwen" / "Qwen3-4B").mkdir(parents=True)
    given = {"model": Path("Qwen/Qwen3-4B")}
    stage_commands._locate_models("train", given)
    assert given == {"model": tmp_path / "Qwen" / "Qwen3-4B"}
