"""The image does what README says of it, whoever owns the folder, and goes on after a kill."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from localdistill.events import Recorded, StageStarted
from localdistill.jsonl import read_rows
from localdistill.types import Completion
from tests.catalogue.test_stores import write_ollama

from .conftest import IMAGE, USER, Container, docker, folder_of, owners

pytestmark = pytest.mark.real

# As in tests/e2e: every stage, few problems.
SMALL = (
    "run", "--limit", 24, "--deterministic",
    "--set", "generate.samples=4", "--set", "evaluate.samples=2", "--set", "train.epochs=1",
)  # fmt: skip
STOPPED = 130
SEED = next((Path(__file__).parents[2] / "models" / "seed").glob("*.gguf"))
PROBLEMS = "/opt/localdistill/share/localdistill/models/seed/problems/train.jsonl"


def test_it_holds_no_compiler():
    names = "gcc g++ cc c++ clang cmake ninja make"
    # Each by itself: the image's shell looks at the first of several names only.
    each = f"for name in {names} sh; do command -v $name; done; true"
    found = docker("run", "--rm", "--entrypoint", "sh", IMAGE, "-c", each)
    assert [Path(line).name for line in found.stdout.splitlines()] == ["sh"]


def test_it_holds_its_bill_of_materials_and_the_converter():
    share = "/opt/localdistill/share/localdistill"
    found = docker("run", "--rm", "--entrypoint", "cat", IMAGE, f"{share}/sbom.cdx.json")
    bill = json.loads(found.stdout)
    assert bill["bomFormat"] == "CycloneDX"
    assert {"torch", "unsloth", "llama_cpp_python"} <= {
        each["name"].replace("-", "_") for each in bill["components"]
    }
    converter = f"{share}/llama.cpp/convert_hf_to_gguf.py"
    assert docker("run", "--rm", "--entrypoint", "test", IMAGE, "-s", converter).returncode == 0


def test_its_labels_say_what_it_is():
    shown = docker("inspect", "--format", "{{json .Config.Labels}}", IMAGE)
    labels = json.loads(shown.stdout)
    version = docker("run", "--rm", IMAGE, "--version").stdout.strip()
    assert labels["org.opencontainers.image.version"] == version
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_the_default_run_gives_a_model_to_the_owner_of_the_folder(start, data):
    code, out, err = start("run", data=data).wait()
    assert code == 0, err + out
    assert "no namespaces" in out  # the sandbox's tier is said
    for name in ("config.toml", "manifest.json", "evaluation.json", "rounds/01/model.gguf"):
        assert (data / "seed" / name).stat().st_size > 0
    assert owners(data) == {(USER, USER)}
    assert [path.name for path in data.iterdir()] == ["seed"]  # no other program's litter


def test_the_sandbox_of_the_container_holds(start, data):
    code, out, err = start("doctor", data=data).wait()
    assert code == 0, err + out
    assert "The sandbox holds" in out


def killed_in(stage: str, container: Container) -> None:
    """Wait until the run is in ``stage``, and take its container away as an engine does."""
    for event in container.events():
        if event.get("stage") == stage and event["kind"] == "stage_progress":
            docker("kill", container.name)
            break
    code, _, _ = container.wait()
    assert code == 137, f"{stage} was not reached"


def test_a_container_that_is_killed_goes_on_by_the_same_command(start, data):
    volume = "localdistill-test-undisturbed"
    try:
        code, out, err = start(*SMALL, data=volume).wait()
        assert code == 0, err + out
        command = (*SMALL, "--progress", "json")
        killed_in("generate", start(*command, data=data))
        killed_in("train", start(*command, data=data))
        code, out, err = start(*SMALL, data=data).wait()
        assert code == 0, err + out
        round_one = data / "seed" / "rounds" / "01"
        undisturbed = docker(
            "run", "--rm", "--volume", f"{volume}:/data", "--entrypoint", "cat", IMAGE,
            "/data/seed/rounds/01/selected.jsonl",
        )  # fmt: skip
        assert undisturbed.stdout == (round_one / "selected.jsonl").read_text()
        keys = [row.key for row in read_rows(round_one / "completions.jsonl", Completion)]
        assert len(keys) == len(set(keys)) == 24 * 4
        assert owners(data) == {(USER, USER)}
    finally:
        docker("volume", "rm", "--force", volume)


def test_a_container_that_is_stopped_ends_in_order_and_is_healthy_before(start):
    with folder_of(0) as data:
        options = ("--health-interval", "1s", "--health-start-period", "0s")
        container = start(*SMALL, "--progress", "json", data=data, options=options)
        for event in container.events():
            if event["kind"] == "stage_progress":
                break
        assert becomes_healthy(container)
        docker("stop", "--time", 10, container.name)
        code, _, err = container.wait()
        assert code == STOPPED, err  # and not 137, of a container that had to be killed
        assert "the same command goes on from here" in err
        assert owners(data) == {(0, 0)}


def test_others_watch_from_containers_of_their_own_and_only_one_runs(start, data):
    container = start(*SMALL, "--progress", "json", data=data)
    for event in container.events():
        if event["kind"] == "stage_progress":
            break
    assert "another run works in it" in refusal(start(*SMALL, data=data))
    mounted = ("--volume", f"{data}:/data:ro")
    watcher = start("watch", "/data/seed", "--progress", "json", options=mounted)
    seen = []
    reader = threading.Thread(
        target=lambda: seen.extend((time.time(), event) for event in watcher.events())
    )
    reader.start()
    code, out, err = container.wait()
    assert code == 0, err + out
    reader.join(60)
    assert watcher.wait()[0] == 0
    recorded = read_rows(data / "seed" / "events.jsonl", Recorded)
    begun = {
        (row.event.stage, row.event.title): row.at
        for row in recorded
        if isinstance(row.event, StageStarted)
    }
    late = [
        at - begun[event["stage"], event["title"]]
        for at, event in seen
        if event["kind"] == "stage_started"
        # Those that had begun before it came are told at once.
        and begun[event["stage"], event["title"]] > seen[0][0]
    ]
    assert late and max(late) < 2
    kinds = {"round_started", "stage_started", "stage_finished", "scored", "finished"}
    assert [event for _, event in seen if event["kind"] in kinds] == [
        row.event.model_dump(mode="json") for row in recorded if row.event.kind in kinds
    ]
    assert seen[-1][1]["kind"] == "finished"


def becomes_healthy(container: Container) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status = container.state()["Health"]["Status"]
        if status != "starting":
            return status == "healthy"
        time.sleep(0.2)
    return False


def refusal(container: Container) -> str:
    """The one line with which it ends at once."""
    code, _, err = container.wait()
    assert code == 2, err
    assert err.count("\n") == 1, err
    return err


def test_a_folder_that_is_mounted_to_be_read_only_is_refused(start, data):
    options = ("--volume", f"{data}:/data:ro")
    assert "Read-only file system" in refusal(start("run", options=options))


def test_without_the_right_to_change_user_it_says_what_to_do(start, data):
    dropped = ("--cap-drop", "ALL")
    assert "--cap-drop" in refusal(start("run", data=data, options=dropped))


def test_with_user_there_is_no_sandbox_and_it_says_what_to_do(start, data):
    options = ("--user", f"{USER}:{USER}")
    assert "no --user" in refusal(start("doctor", data=data, options=options))


def test_results_that_would_vanish_are_foretold(start):
    code, _, err = start("run", "--rounds", 0).wait()
    assert code == 2
    assert "nothing is mounted on /data" in err


def test_a_model_in_ollamas_store_that_is_mounted_to_be_read_only_is_found_and_sampled(start, data):
    with folder_of(0) as store:
        store.chmod(0o755)
        write_ollama(store, "registry.ollama.ai/library/mine/latest", SEED.read_bytes())
        options = ("--volume", f"{store}:/usr/share/ollama/.ollama/models:ro")
        code, out, err = start(
            "generate", "--model", "ollama:mine", "--problems", PROBLEMS, "--limit", 1,
            "--max-tokens", 160, "--out", "/data/completions.jsonl",
            data=data, options=options,
        ).wait()  # fmt: skip
        assert code == 0, err + out
    (completion,) = read_rows(data / "completions.jsonl", Completion)
    assert "def " in completion.text
    assert owners(data) == {(USER, USER)}


def test_a_run_begins_with_a_model_of_lm_studio_below_another_home(start, data):
    """All of it, as libraries want to write to their home while they train."""
    with folder_of(0) as store:
        store.chmod(0o755)
        (store / "me" / "mine-GGUF").mkdir(parents=True)
        (store / "me" / "mine-GGUF" / "mine-Q8_0.gguf").write_bytes(SEED.read_bytes())
        options = ("--volume", f"{store}:/stores/.lmstudio/models:ro", "--env", "HOME=/stores")
        code, out, err = start(
            *SMALL, "--model", "lmstudio:mine", "--problems", PROBLEMS, "--run-dir", "/data/mine",
            "--set", "generate.max_tokens=160", "--set", "evaluate.max_tokens=160",
            "--set", "evaluate.decode=same",
            data=data, options=options,
        ).wait()  # fmt: skip
        assert code == 0, err + out
    assert (data / "mine" / "rounds" / "01" / "model.gguf").is_file()
    assert owners(data) == {(USER, USER)}
