"""Run directories that cannot be taken, or cannot be gone on with; what is in them stays."""

from __future__ import annotations

import fcntl

import pytest

from localdistill import cli, manifest, preflight, run_options
from localdistill.run_dir import RunDir
from localdistill.stages import split


@pytest.fixture
def command(tiny, problems):
    return ("run", "--model", tiny.gguf, "--problems", problems, "--run-dir", "night")


@pytest.fixture
def begun(world, command, tiny):
    """A run that was stopped in the middle of sampling."""
    options = cli.build_parser().parse_args([str(word) for word in command])
    with RunDir(world / "night") as directory:
        config = directory.adopt(run_options.run_config(options))
        request = preflight.split_request(config, directory)
        split.write(request, split.separate(request, lambda event: None))
        directory.write_manifest(manifest.manifest(config, directory, tiny.gguf, cells=256))
        directory.events.write_text("{}\n")
        directory.log.write_text("what llama.cpp said\n")
        directory.round(1).completions.parent.mkdir(parents=True)
        directory.round(1).completions.write_text('{"torn')
        yield directory


def test_another_configuration_is_named_with_both_values(refused, begun, command):
    begun.close()
    line = refused(*command, "--set", "train.rank=4", "--seed", 3)
    assert "seed (0 there, 3 here)" in line
    assert "train.rank (16 there, 4 here)" in line
    assert "Choose another --run-dir" in line


def test_a_model_that_has_gone_since(refused, begun, command, world, tiny):
    begun.close()
    path = world / "night" / "config.toml"
    moved = world / "moved.gguf"
    path.write_text(path.read_text().replace(str(tiny.gguf), str(moved)))
    line = refused("run", "--model", moved, *command[3:])
    assert "moved.gguf: there is no such file" in line


def test_a_model_that_has_changed_since(refused, begun, command, world):
    begun.close()
    path = world / "night" / "manifest.json"
    text = path.read_text()
    path.write_text(text.replace('"starting model": "', '"starting model": "0'))
    assert "starting model has changed" in refused(*command)


@pytest.mark.parametrize("name", ["config.toml", "manifest.json"])
def test_a_damaged_file_of_the_run(refused, begun, command, world, name):
    begun.close()
    path = world / "night" / name
    path.write_text(path.read_text()[:40] + "= [")  # not only cut short, which is put right
    line = refused(*command)
    assert f"{name} is damaged" in line
    assert "choose another --run-dir" in line


def test_a_directory_with_other_files(refused, command, world):
    (world / "night").mkdir()
    (world / "night" / "thesis.txt").write_text("years of work")
    line = refused(*command)
    assert "thesis.txt" in line
    assert "empty --run-dir" in line


def test_a_file_where_the_directory_should_be(refused, command, world):
    (world / "night").write_text("")
    line = refused(*command)
    assert "choose another --run-dir" in line
    line = refused(*command[:-1], "night/below/it")
    assert "choose another --run-dir" in line


def test_a_directory_in_which_another_run_works(refused, begun, command, world):
    with (world / "night" / "run.lock").open("rb+") as holder:
        begun.close()
        fcntl.flock(holder, fcntl.LOCK_EX)
        assert "another run works in it" in refused(*command)


def test_what_was_empty_before_is_empty_again(refused, command, world):
    (world / "night").mkdir()
    refused(*command, "--set", "verify.sandbox=none-such")
    assert not list((world / "night").iterdir())


def test_a_run_that_stops_before_its_first_sample_is_taken_away(refused, command, world):
    # The prompts do not fit into the model's context, which only its tokenizer can tell.
    rows = world / "problems.jsonl"
    rows.write_text(rows.read_text().replace("Write ", "Write " + "so " * 900))
    line = refused(*command)
    assert "train: the prompts of all problems are longer" in line


def test_a_new_directory_below_new_folders_leaves_none_of_them(refused, command, world):
    rows = world / "problems.jsonl"
    rows.write_text(rows.read_text().replace("Write ", "Write " + "so " * 900))
    refused(*command[:-1], "new/folders/night")
