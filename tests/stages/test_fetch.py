"""Models from the hub: fetched once, continued after a kill, and never what could not be used."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from pathlib import Path

import httpx
import pytest

from localdistill.errors import ModelError, StageFailed
from localdistill.events import StageFinished, StageProgress, StageStarted
from localdistill.models import HubOrigin, hub_origin
from localdistill.stages import fetch, fetch_weights
from localdistill.stages.process import run_stage
from tests.quantization.tiny import Tiny
from tests.stages.hub_server import COMMIT, Hub, serving

REPO = "Org/Tiny-0.1B"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """What the hub holds, pickle and all."""
    made = Tiny.write(tmp_path_factory.mktemp("hub"), "qwen3").master
    (made / "pytorch_model.bin").write_bytes(b"a pickle")
    (made / "modeling_tiny.py").write_text("raise SystemExit")
    (made / "README.md").write_text("# Tiny")
    return made


@pytest.fixture
def hub(folder, monkeypatch):
    with serving(Hub(REPO, folder)) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield served


@pytest.fixture
def give(tmp_path):
    """Fetch in a process of its own, as commands do."""

    def one(revision=None, **named):
        made = fetch.FetchRequest(
            repo=named.pop("repo", REPO), revision=revision, cache=tmp_path / "cache"
        )
        events: list = []
        found = run_stage("fetch", made, events.append, tmp_path / "log.txt", **named)
        return fetch.FetchSummary.model_validate(found), events

    return one


@pytest.fixture
def wanted(tmp_path):
    return fetch.FetchRequest(repo=REPO, cache=tmp_path / "cache")


def test_a_model_is_fetched_and_found_again_without_a_network(hub, give, wanted, folder, tmp_path):
    assert fetch.find_fetched(wanted) is None
    summary, events = give()
    assert summary.commit == COMMIT
    assert (summary.path / "model.safetensors").read_bytes() == (
        folder / "model.safetensors"
    ).read_bytes()
    assert hub_origin(summary.path) == HubOrigin(REPO, COMMIT)
    # Nothing that could be code, or that is not needed.
    assert {path.name for path in summary.path.iterdir()} == {
        "README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    assert isinstance(events[0], StageStarted) and events[0].unit == "MB"
    assert isinstance(events[-1], StageFinished)
    done = [event.done for event in events if isinstance(event, StageProgress)]
    assert done == sorted(done)
    assert done[-1] == events[0].total
    asked = len(hub.requests)
    assert fetch.find_fetched(wanted) == summary.path
    assert len(hub.requests) == asked
    assert (tmp_path / "log.txt").read_text() == ""  # no bars of progress


@pytest.mark.parametrize("revision", ["v1", COMMIT])
def test_a_revision_can_be_named(hub, give, wanted, revision):
    summary, _ = give(revision)
    assert summary.commit == COMMIT
    assert fetch.find_fetched(wanted.model_copy(update={"revision": revision})) == summary.path
    assert fetch.find_fetched(wanted.model_copy(update={"revision": "v2"})) is None


def test_a_killed_download_goes_on_where_it_was(hub, give, wanted, tmp_path):
    size = len(hub.files["model.safetensors"])
    hub.cut_after = size // 3
    hub.stall.set()

    def kill(child):
        def later():
            assert hub.stalled.wait(60)
            part = next(iter((tmp_path / "cache").rglob("*.incomplete")), None)
            while part is None or part.stat().st_size < size // 3:
                part = next(iter((tmp_path / "cache").rglob("*.incomplete")), None)
            os.kill(child.pid, signal.SIGKILL)

        threading.Thread(target=later).start()

    with pytest.raises(StageFailed):
        give(started=kill)
    assert fetch.find_fetched(wanted) is None
    hub.cut_after = None
    summary, events = give()
    assert hub.gets("model.safetensors") == [None, f"bytes={size // 3}-"]
    assert (summary.path / "model.safetensors").read_bytes() == hub.files["model.safetensors"]
    assert events[0].done == size // 3 // 1_000_000
    assert not list((tmp_path / "cache").rglob("*.incomplete"))


def test_a_lost_connection_is_taken_up_again(hub, tmp_path, monkeypatch):
    """In this process, so that it need not wait between attempts."""
    monkeypatch.setattr(fetch_weights, "_WAITS_S", (0.0, 0.0))
    content = hub.files["model.safetensors"]
    hub.cut_after = len(content) // 4 + 1
    counted: list[int] = []
    part = tmp_path / "part"
    url = f"{hub.url}/{REPO}/resolve/{COMMIT}/model.safetensors"
    fetch_weights._fill(url, part, len(content), counted.append)
    assert part.read_bytes() == content
    assert sum(counted) == len(content)
    assert len(hub.gets("model.safetensors")) == 4


def test_a_server_that_knows_no_ranges_begins_again(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch_weights, "_WAITS_S", (0.0,))
    content = hub.files["model.safetensors"]
    hub.ranges = False
    part = tmp_path / "part"
    part.write_bytes(b"x" * 1000)
    counted: list[int] = []
    url = f"{hub.url}/{REPO}/resolve/{COMMIT}/model.safetensors"
    fetch_weights._fill(url, part, len(content), counted.append)
    assert part.read_bytes() == content
    assert sum(counted) == len(content) - 1000


def test_a_server_without_ranges_that_always_breaks_is_given_up(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch_weights, "_WAITS_S", (0.0, 0.0))
    reached = iter([50, 40, 45, 30, 35, 20, 25, 10, 15])
    part = tmp_path / "part"

    def cut(url, part, have, on_bytes, size):
        part.write_bytes(b"x" * next(reached))
        raise httpx.ReadError("cut")

    monkeypatch.setattr(fetch_weights, "_append", cut)
    with pytest.raises(httpx.ReadError):
        fetch_weights._fill("", part, 100, lambda count: None)
    assert next(reached) == 30


def test_what_was_damaged_on_its_way_is_not_kept(hub, give, wanted, tmp_path):
    hub.spoil = True
    with pytest.raises(ModelError, match="damaged on its way"):
        give()
    assert fetch.find_fetched(wanted) is None
    hub.spoil = False
    give()
    assert hub.gets("model.safetensors") == [None, None]


@pytest.mark.parametrize("have", [0, 1000])
def test_a_server_that_goes_on_after_the_files_end_is_left(hub, tmp_path, monkeypatch, have):
    """It would fill the disk."""
    monkeypatch.setattr(fetch_weights, "_WAITS_S", ())
    content = hub.files["model.safetensors"]
    part = tmp_path / "part"
    part.write_bytes(content[:have])
    url = f"{hub.url}/{REPO}/resolve/{COMMIT}/model.safetensors"
    with pytest.raises(ModelError, match="more comes than the 5,000 bytes"):
        fetch_weights._fill(url, part, 5000, lambda count: None)
    assert not part.exists()  # the next call would go on with it


def test_a_digest_cannot_lead_out_of_the_cache(hub, give, tmp_path, monkeypatch):
    etag = hub.etag
    away = "/../../../away"
    monkeypatch.setattr(hub, "etag", lambda name: away if hub.lfs(name) else etag(name))
    with pytest.raises(ModelError, match="no SHA-256"):
        give()
    assert hub.gets("model.safetensors") == []
    assert not list(tmp_path.rglob("away*"))


def test_nor_can_what_it_calls_a_commit(hub, give, tmp_path):
    hub.commit = "../../../away"
    with pytest.raises(ModelError, match="no commit"):
        give()
    assert not list(tmp_path.rglob("away*"))


def test_several_files_of_weights_are_fetched_by_their_index(folder, give, monkeypatch, tmp_path):
    split = tmp_path / "split"
    shutil.copytree(folder, split)
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    (split / "model.safetensors").rename(split / names[0])
    (split / names[1]).write_bytes(b"more")
    (split / "consolidated.safetensors").write_bytes(b"the same once more")
    index = {"weight_map": {"a": names[0], "b": names[1]}}
    (split / "model.safetensors.index.json").write_text(json.dumps(index))
    with serving(Hub(REPO, split)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        summary, _ = give()
    found = sorted(path.name for path in summary.path.glob("*.safetensors"))
    assert found == names


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda files: files.pop("model.safetensors"), "no model.safetensors"),
        (lambda files: files.pop("config.json"), "no config.json"),
        (lambda files: files.update({"config.json": b'{"model_type": "llama"}'}), "'llama'"),
        (
            lambda files: files.update(
                {"config.json": b'{"model_type": "qwen3", "quantization_config": {"bits": 4}}'}
            ),
            "quantised",
        ),
        *(
            (
                lambda files, name=name: files.update(
                    {
                        "model.safetensors.index.json": json.dumps(
                            {"weight_map": {"a": name}}
                        ).encode()
                    }
                ),
                "not an index of safetensors",
            )
            for name in ("pytorch_model.bin", "*.safetensors", "modeling_tiny.py", 3)
        ),
    ],
)
def test_what_cannot_be_used_is_refused_before_its_weights_come(hub, give, change, said):
    change(hub.files)
    with pytest.raises(ModelError, match=said):
        give()
    assert hub.gets("model.safetensors") == []
    assert hub.gets("pytorch_model.bin") == []


def test_names_that_the_hub_does_not_know_are_told(hub, give):
    with pytest.raises(ModelError, match=r"Org/Other: the hub has no such model.*hf auth login"):
        give(repo="Org/Other")
    with pytest.raises(ModelError, match=r"Org/Tiny-0.1B@v9: .*no such branch"):
        give("v9")


def test_without_a_network_it_says_what_to_do(give, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(
        ModelError, match=r"cannot be reached.*give a folder or a GGUF file"
    ) as told:
        give()
    assert "\n" not in str(told.value)


def test_offline_is_respected(hub, give, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE"):
        give()
    assert hub.requests == []
