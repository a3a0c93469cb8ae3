"""`localdistill models`, and catalogue names as `--model`."""

import io
import json
import os
from pathlib import Path

import pytest

from localdistill import cli, run_options, starting_points
from localdistill.catalogue.find import OnDisk, find_models
from localdistill.display.catalogue import show_table
from localdistill.display.catalogue_entry import show_entry
from localdistill.display.catalogue_layout import WIDTH
from localdistill.errors import ConfigError
from tests.catalogue.conftest import place, write_folder, write_gguf

CODER = "qwen2.5-coder-7b-instruct"
NOTHING = OnDisk(models=(), unreadable=())


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No model of this machine is found: an empty home and an empty working directory."""
    for variable in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "no-ollama"))
    monkeypatch.setenv("LLAMA_CACHE", str(tmp_path / "no-llama"))
    monkeypatch.setenv("HOME", str(tmp_path))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def ended(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        cli.main(list(arguments))
    out, err = capsys.readouterr()
    return caught.value.code, out, err


def test_the_table_fits_100_columns_and_has_every_model(capsys, entries):
    code, out, _ = ended(capsys, "models")
    assert code == 0
    for entry in entries:
        (line,) = [line for line in out.splitlines() if line.startswith(f"{entry.name} ")]
        assert line.endswith("safetensors" if entry.name == "seed" else "no")
    assert max(len(line) for line in out.splitlines()) <= WIDTH
    assert "\x1b" not in out


@pytest.mark.parametrize("columns", [80, 100, 200])
def test_on_a_terminal_the_table_fits_too(entries, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    stream = io.StringIO()
    show_table(entries, NOTHING, stream, rich=True)
    table, _, _ = stream.getvalue().partition("GB are")
    assert max(len(line) for line in table.splitlines()) <= min(columns, WIDTH)
    for entry in entries:
        assert f"{entry.name} " in table


def test_a_named_folder_is_looked_into(capsys, tmp_path, by_name):
    write_gguf(tmp_path / "disk" / "m.gguf", by_name[CODER], "Qwen2.5 Coder 7B Instruct")
    write_gguf(tmp_path / "disk" / "o.gguf", by_name[CODER], "Something else")
    (tmp_path / "disk" / "bad.gguf").write_bytes(b"no model at all, but long enough")
    _, out, _ = ended(capsys, "models", "--look-in", str(tmp_path / "disk"))
    (line,) = [line for line in out.splitlines() if line.startswith(f"{CODER} ")]
    assert line.endswith("Q4_K_M")
    assert "says that it is Something else" in out
    assert "bad.gguf: not a GGUF file" in " ".join(out.split())  # a long path breaks the line


def test_names_that_would_move_the_cursor_do_not(capsys, tmp_path, by_name):
    odd = os.fsdecode(b"\xff\x1b[2J.gguf")
    write_gguf(tmp_path / "disk" / odd, by_name[CODER], "a \x1b[31m model")
    (tmp_path / "disk" / "bad\n.gguf").write_bytes(b"no model at all, but long enough")
    code, out, _ = ended(capsys, "models", "--look-in", str(tmp_path / "disk"))
    assert code == 0
    assert "\x1b" not in out
    assert "a ?[31m model" in out
    assert "bad?.gguf" in out
    code, out, _ = ended(capsys, "models", "--json", "--look-in", str(tmp_path / "disk"))
    assert code == 0
    assert len(json.loads(out)["not_in_the_catalogue"]) == 1


def test_one_entry_is_shown_whole(capsys, by_name):
    code, out, _ = ended(capsys, "models", CODER)
    entry = by_name[CODER]
    assert code == 0
    assert "7,615,616,512" in out
    assert f"hf download {entry.hub.gguf} {entry.hub.gguf_file}" in out
    assert f"localdistill run --model {entry.hub.gguf_file}" in out
    assert "--set generate.temperature=1.6 --set generate.top_k=20" in out
    for url in entry.sources["architecture"]:
        assert url in out
    assert "not checked:" in out
    assert "untried" in out


def test_one_that_is_there_is_used_and_not_fetched(capsys, tmp_path, by_name):
    file = write_gguf(tmp_path / "a b" / "m.gguf", by_name[CODER], "Qwen2.5 Coder 7B Instruct")
    _, out, _ = ended(capsys, "models", CODER, "--look-in", str(tmp_path / "a b"))
    assert "hf download" not in out
    assert f"localdistill run --model '{file}'" in out


def test_one_that_cannot_be_trained_is_not_proposed_for_it(capsys):
    _, out, _ = ended(capsys, "models", "qwen3-coder-30b-a3b-instruct")
    assert "localdistill run" not in out
    assert "localdistill evaluate --model" in out


def test_the_commands_that_are_shown_are_commands(capsys, entries):
    for entry in entries:
        stream = io.StringIO()
        show_entry(entry, (), stream)
        text = stream.getvalue().replace("\\\n", " ")
        shown = [line.split() for line in text.splitlines() if "localdistill run --" in line]
        for words in shown:
            options = cli.build_parser().parse_args(words[1:])
            config = run_options.run_config(options)
            advice = entry.sampling.self_distillation
            assert config.generate.temperature == advice.temperature
            assert (config.generate.top_k, config.generate.top_p) == (advice.top_k, advice.top_p)
        assert len(shown) == (1 if entry.trainable and entry.hub else 0)


def test_json_has_everything(capsys, tmp_path, by_name):
    file = write_gguf(tmp_path / "disk" / "m.gguf", by_name[CODER], "Qwen2.5 Coder 7B Instruct")
    _, out, _ = ended(capsys, "models", "--json", "--look-in", str(tmp_path / "disk"))
    models = {model["name"]: model for model in json.loads(out)["models"]}
    assert models.keys() == by_name.keys()
    coder = models[CODER]
    assert coder["parameters"] == 7615616512
    assert [one["path"] for one in coder["on_this_disk"]] == [str(file)]
    assert coder["memory_estimates"]["sampling"]["total"] > coder["memory_estimates"]["q4_k_m_file"]
    assert coder["sources"]["licence"]
    moe = models["qwen3-coder-30b-a3b-instruct"]
    assert moe["trainable"] is False
    assert "training_gpu" not in moe["memory_estimates"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["models", "qwen2.5-coder-7b"], f"Did you mean {CODER}?"),
        (["models", "xyz"], "See `localdistill models`."),
        (["models", "--look-in", "nowhere"], "--look-in nowhere: there is no such folder"),
    ],
)
def test_a_wrong_name_or_folder_is_one_line(capsys, arguments, hint):
    code, out, err = ended(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert hint in err


def test_a_broken_catalogue_is_one_line(capsys, tmp_path, monkeypatch):
    folder = tmp_path / "models"
    (folder / "seed").mkdir(parents=True)
    (folder / "seed" / "run.toml").write_text("")
    (folder / "bad.toml").write_text('name = "bad"\nnmae = 3\n')
    monkeypatch.setenv("LOCALDISTILL_MODELS", str(folder))
    code, _, err = ended(capsys, "models")
    assert code == 2
    assert err.count("\n") == 1
    assert "bad.toml" in err


def configured(*arguments):
    return run_options.run_config(cli.build_parser().parse_args(["run", *arguments]))


def test_a_catalogue_name_stands_for_where_the_model_lies(alone, by_name):
    file = write_gguf(alone / "m.gguf", by_name[CODER], "Qwen2.5 Coder 7B Instruct")
    assert Path(configured("--model", CODER, "--problems", "p.jsonl").model) == file


def test_a_file_of_that_name_comes_first(alone, by_name):
    write_gguf(alone / "m.gguf", by_name[CODER], "Qwen2.5 Coder 7B Instruct")
    (alone / CODER).mkdir()
    assert Path(configured("--model", CODER, "--problems", "p.jsonl").model) == alone / CODER


def test_a_folder_with_its_gguf_is_one_model(alone, by_name):
    folder = write_folder(alone / "Qwen2.5-Coder-7B-Instruct", by_name[CODER])
    write_gguf(folder / "m.gguf", by_name[CODER], "Qwen2.5 Coder 7B Instruct")
    assert starting_points.locate(CODER) == str(folder)


def test_the_seed_has_a_name():
    assert configured("--model", "seed", "--problems", "p.jsonl").model.endswith("models/seed")


def test_a_model_that_is_there_twice_is_not_guessed(alone, by_name):
    for name in ("a.gguf", "b.gguf"):
        write_gguf(alone / name, by_name[CODER], "Qwen2.5 Coder 7B Instruct")
    with pytest.raises(ConfigError, match=r"several times.*a\.gguf.*b\.gguf"):
        starting_points.locate(CODER)


def test_a_model_that_is_not_there_says_how_to_get_it():
    with pytest.raises(ConfigError, match=f"`localdistill models {CODER}`"):
        starting_points.locate(CODER)


def test_a_model_that_cannot_be_trained_is_refused_by_name():
    with pytest.raises(ConfigError, match="qwen3moe"):
        starting_points.locate("qwen3-coder-30b-a3b-instruct")


def test_any_other_name_is_a_path():
    assert starting_points.locate("mine.gguf") == "mine.gguf"


def test_nothing_is_fetched(entries, tmp_path, monkeypatch):
    def refuse(*arguments, **named):
        raise AssertionError("a network connection was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    find_models(entries, [place(tmp_path)])
    starting_points.on_disk()
