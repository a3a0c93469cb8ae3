"""The image's health check: a run that has been silent for long is told, and nothing else."""

from __future__ import annotations

import fcntl
import json
import os
import time

import pytest

from localdistill import health

SILENT_S = 3 * 3600


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("LOCALDISTILL_HOME", str(tmp_path))
    monkeypatch.delenv("LOCALDISTILL_SILENT_MINUTES", raising=False)
    folder = tmp_path / "seed"
    folder.mkdir()
    for name in ("run.lock", "events.jsonl", "log.txt"):
        (folder / name).touch()
        then = time.time() - SILENT_S
        os.utime(folder / name, (then, then))
    return folder


@pytest.fixture
def at_work(run):
    with (run / "run.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        then = time.time() - SILENT_S
        os.utime(run / "run.lock", (then, then))
        yield run


def test_a_folder_without_runs_is_healthy(tmp_path, monkeypatch):
    monkeypatch.setenv("LOCALDISTILL_HOME", str(tmp_path / "missing"))
    assert health.main() == 0


def test_a_run_that_is_over_may_be_silent(run):
    assert health.main() == 0


def test_a_run_at_work_that_is_silent_is_told(at_work, capsys):
    assert health.main() == 1
    assert capsys.readouterr().out == f"{at_work}: silent for 180 minutes\n"


@pytest.mark.parametrize("name", ["events.jsonl", "log.txt"])
def test_a_run_that_has_told_something_is_healthy(at_work, name):
    os.utime(at_work / name)
    assert health.main() == 0


def test_how_long_it_may_be_silent_can_be_set(at_work, monkeypatch):
    monkeypatch.setenv("LOCALDISTILL_SILENT_MINUTES", "200")
    assert health.main() == 0


def test_a_run_in_the_folder_itself_counts_too(at_work, monkeypatch):
    monkeypatch.setenv("LOCALDISTILL_HOME", str(at_work))
    assert health.main() == 1


def test_locks_that_are_waited_for_or_of_another_kind_are_not_held():
    text = (
        "1: FLOCK  ADVISORY  WRITE 42 08:01:1234 0 EOF\n"
        "1: -> FLOCK  ADVISORY  WRITE 43 08:01:77 0 EOF\n"
        "2: POSIX  ADVISORY  WRITE 44 08:01:78 0 EOF\n"
        "3: FLOCK  ADVISORY  READ 45 08:01:79 0 EOF\n"
    )
    assert health.held_locks(text) == {1234}


def rows(run, *events):
    """``events.jsonl`` of events that were told so many seconds ago."""
    now = time.time()
    lines = [json.dumps({"at": now - ago, "event": event}) for ago, event in events]
    (run / "events.jsonl").write_text("\n".join(lines) + "\n")


STARTED, WORK = {"kind": "run_started"}, {"kind": "stage_progress", "done": 1}
PAUSE, RESUME = ({"kind": "steered", "wish": wish} for wish in ("pause", "resume"))
USAGE = {"kind": "usage"}


def test_what_the_machine_uses_is_no_sign_of_work(at_work):
    rows(at_work, (SILENT_S, WORK), (0, USAGE))
    assert health.main() == 1
    rows(at_work, (SILENT_S, STARTED), (60, WORK), (0, USAGE))
    assert health.main() == 0


def test_a_paused_run_is_healthy_also_where_its_unit_of_work_ended_after_that(at_work):
    rows(at_work, (SILENT_S, STARTED), (SILENT_S, PAUSE), (0, USAGE))
    assert health.main() == 0
    rows(at_work, (SILENT_S + 9, STARTED), (SILENT_S + 5, PAUSE), (SILENT_S, WORK), (0, USAGE))
    assert health.main() == 0


def test_a_pause_that_is_over_or_of_an_earlier_call_is_none(at_work):
    rows(at_work, (SILENT_S + 9, PAUSE), (SILENT_S + 5, RESUME), (SILENT_S, WORK), (0, USAGE))
    assert health.main() == 1
    rows(at_work, (SILENT_S + 9, PAUSE), (SILENT_S + 5, STARTED), (SILENT_S, WORK), (0, USAGE))
    assert health.main() == 1
