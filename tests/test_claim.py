"""A run's directory while its model is still being fetched from the hub."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from localdistill import cli, health, pipeline, run_options
from localdistill.claim import Claim
from localdistill.errors import ConfigError, ModelError, Stopped
from localdistill.run_dir import RunDir
from localdistill.watching import is_at_work
from tests.quantization.tiny import Tiny
from tests.stages.hub_server import Hub, serving

REPO = "Org/Tiny-0.1B"
PROBLEM = {"id": "p/1", "prompt": "Write f.", "entry_point": "f"}
MAY_BE_LEFT = {"run.lock", "stage.lock"}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALDISTILL_HOME", str(tmp_path / "runs"))
    (tmp_path / "p.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    monkeypatch.chdir(tmp_path)
    with serving(Hub(REPO, Tiny.write(tmp_path / "hub", "qwen3").master)) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def given(*more):
    arguments = ["run", "--model", REPO, "--problems", "p.jsonl", "--progress", "none", *more]
    return cli.build_parser().parse_args(arguments)


def ended(*more):
    arguments = ["run", "--model", REPO, "--problems", "p.jsonl", "--progress", "none", *more]
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    return end.value.code


def test_a_second_run_is_refused_while_the_first_one_fetches(hub, tmp_path, capsys):
    """And asks the hub for nothing; a watcher sees that something is at work."""
    hub.cut_after, path = 1000, tmp_path / "run"
    hub.stall.set()
    ends = []

    def first():
        with Claim(path) as claim:
            try:
                run_options.run_config(given("--run-dir", str(path)), claim)
            except Exception as error:
                ends.append(error)
                raise

    fetching = threading.Thread(target=first, daemon=True)
    fetching.start()
    assert hub.stalled.wait(60)
    asked = len(hub.requests)
    assert ended("--run-dir", str(path)) == 2
    assert "another run works in it" in capsys.readouterr().err
    assert len(hub.requests) == asked
    assert is_at_work(RunDir(path))
    hub.cut_after = None
    hub.stall.clear()
    hub.release.set()
    fetching.join(60)
    assert not fetching.is_alive() and not ends
    assert {each.name for each in path.iterdir()} == MAY_BE_LEFT  # the run itself was not begun
    assert ended("--run-dir", str(path), "--rounds", "0") == 2  # and not for what is left there
    assert "rounds" in capsys.readouterr().err


def test_the_run_goes_on_in_the_directory_that_was_taken(hub, tmp_path, monkeypatch):
    seen = []

    def run(config, place, callback):
        seen.append((config.model, place.path, place.is_open))
        raise Stopped

    monkeypatch.setattr(pipeline, "run", run)
    assert ended() == 130
    assert ended() == 130  # and where nothing is to be fetched, none was taken before
    (model, path, is_open), again = seen
    assert Path(model).is_relative_to(tmp_path / "hf")
    assert path == tmp_path / "runs" / "Tiny-0.1B"  # by the model's name, as it is once it is here
    assert (is_open, again) == (True, (model, path, False))
    assert not path.exists()


def test_a_fetch_that_fails_leaves_nothing_and_one_that_is_killed_nothing_in_the_way(
    hub, tmp_path, monkeypatch
):
    path = tmp_path / "deep" / "run"
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert ended("--run-dir", str(path)) == 2
    assert not path.parent.exists()
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    killed = RunDir(path).open()
    killed.close()
    assert {each.name for each in path.iterdir()} == MAY_BE_LEFT
    with Claim(path) as claim:
        config = run_options.run_config(given("--run-dir", str(path)), claim)
        assert claim.directory.check(config) is None


def test_what_was_put_there_during_a_fetch_that_fails_stays(hub, tmp_path):
    path = tmp_path / "run"
    hub.spoil = True

    class Noted(Claim):
        def take(self, config):
            super().take(config)
            (path / "notes").mkdir()
            (path / "notes" / "mine.txt").write_text("years of work")

    with pytest.raises(ModelError, match="damaged"), Noted(path) as claim:
        run_options.run_config(given("--run-dir", str(path)), claim)
    assert [each.name for each in path.iterdir()] == ["notes"]
    assert (path / "notes" / "mine.txt").read_text() == "years of work"


def test_nothing_is_fetched_into_a_directory_that_holds_other_files(hub, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"thesis\.txt"), Claim(tmp_path / "thesis") as claim:
        run_options.run_config(given(), claim)
    assert hub.requests == []
    assert [each.name for each in (tmp_path / "thesis").iterdir()] == ["thesis.txt"]


def test_the_health_check_does_not_take_a_long_fetch_for_a_run_that_hangs(hub, tmp_path):
    silent = []

    class LongAgo(Claim):
        def take(self, config):
            super().take(config)
            os.utime(self.directory.path / "run.lock", (0, 0))
            silent.extend(health.silences(tmp_path / "runs"))

    with LongAgo(tmp_path / "runs" / "mine") as claim:
        run_options.run_config(given(), claim)
        ((_, minutes),) = silent
        assert minutes > 120
        ((_, minutes),) = health.silences(tmp_path / "runs")
        assert minutes < 120
