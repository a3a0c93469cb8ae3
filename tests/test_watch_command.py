"""The command ``watch``, as a user gives it."""

import json
import threading

import pytest

from localdistill import cli, watch_command, watching
from localdistill.display import open_run_display
from localdistill.display.base import StreamDisplay
from localdistill.display.dashboard.display import WATCHING
from localdistill.events import (
    BEAT_S,
    Notice,
    Recorded,
    RunFinished,
    RunStarted,
    StageFinished,
    StageProgress,
    StageStarted,
)
from localdistill.jsonl import JsonlWriter
from localdistill.run_dir import RunDir
from localdistill.types import EvalResult
from tests.pipeline.helpers import score

STARTED = RunStarted(model="m.gguf", directory="run", log="run/log.txt", rounds=1)
STAGE = StageStarted(stage="train", title="train", total=100, unit="examples")
END = RunFinished(outcome="finished", exit_code=0, verdict="better", model="run/model.gguf")


def write(directory, *events):
    with JsonlWriter(directory.events) as writer:
        writer.write(*[Recorded(at=1000.0 + n, event=event) for n, event in enumerate(events)])


def watch(directory, *options):
    with pytest.raises(SystemExit) as ended:
        cli.main(["watch", str(directory.path), *options])
    return ended.value.code


@pytest.fixture
def directory(tmp_path):
    return RunDir(tmp_path)


def test_a_directory_without_a_run_is_one_line(directory, capsys):
    assert watch(directory) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "there is no run in it" in err


def test_of_a_finished_run_it_shows_the_end(directory, capsys):
    said = Notice(message="said again by each stage")
    write(directory, STARTED, said, STAGE, said, StageFinished(stage="train"), END)
    result = EvalResult(
        problem_set="eval",
        candidate=score("round-01", 0.6),
        baseline=score("base", 0.4),
        gain=0.2,
        gain_low=0.1,
        gain_high=0.3,
        verdict="better",
    )
    directory.evaluation.write_text(result.model_dump_json())
    assert watch(directory) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  train done" in lines
    assert sum("said again" in line for line in lines) == 1
    assert lines[-3].startswith("Verdict: better: +20.0 points")
    assert "no decoding was chosen" in lines[-2]
    assert lines[-1] == "Model: run/model.gguf"


def test_a_run_that_failed_says_why(directory, capsys):
    write(directory, STARTED, RunFinished(outcome="failed", exit_code=1, reason="it\x1b[2J broke."))
    assert watch(directory) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Failed: it [2J broke."


def test_a_run_that_was_killed_is_told_as_such(directory, capsys):
    write(directory, STARTED, STAGE)
    assert watch(directory) == 0
    assert "ended without a word" in capsys.readouterr().out


def test_a_run_that_goes_on_after_its_end_is_not_at_its_end(directory, capsys):
    write(directory, STARTED, END, STARTED, STAGE)
    assert watch(directory) == 0
    assert "ended without a word" in capsys.readouterr().out


def test_as_json_it_is_what_the_run_wrote(directory, capsys):
    write(directory, STARTED, STAGE, END)
    assert watch(directory, "--progress", "json") == 0
    kinds = [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()]
    assert kinds == ["run_started", "stage_started", "finished"]


def test_a_running_one_is_followed_to_its_end(directory, capsys, monkeypatch):
    looks = []

    class Left(threading.Event):
        def wait(self, seconds):
            """The run's next step, each time that the watcher waits for one."""
            looks.append(seconds)
            if len(looks) == 1:
                write(directory, StageProgress(stage="train", done=50))
            elif len(looks) == 2:
                write(directory, StageFinished(stage="train"), END)
                directory.close()
            assert len(looks) < 3

    monkeypatch.setattr(watch_command.threading, "Event", Left)
    directory.open()
    write(directory, STARTED, STAGE)
    assert watch(RunDir(directory.path)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "  train: 100 examples",
        "  train done",
        "Verdict: better",
        "Model: run/model.gguf",
    ]


def test_a_run_whose_model_is_being_fetched_is_told_of_as_not_begun(directory, capsys, monkeypatch):
    looks = []

    class Left(threading.Event):
        def wait(self, seconds):
            looks.append(seconds)
            if len(looks) == 1:
                write(directory, STARTED, STAGE)
            else:
                write(directory, END)
                directory.close()

    monkeypatch.setattr(watch_command.threading, "Event", Left)
    directory.open()  # as for a fetch
    assert watch(RunDir(directory.path)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("  The run has not begun yet: its model is being fetched")
    assert lines[1:3] == ["  train: 100 examples", "Verdict: better"]


@pytest.mark.parametrize("kind", ["plain", "json"])
def test_a_run_that_never_began_is_not_told_of_as_killed(directory, capsys, monkeypatch, kind):
    class Left(threading.Event):
        def wait(self, seconds):
            directory.close()

    monkeypatch.setattr(watch_command.threading, "Event", Left)
    directory.open()
    assert watch(RunDir(directory.path), "--progress", kind) == 0
    out = capsys.readouterr().out
    assert ("its command ended before" in out) == (kind == "plain")
    assert kind == "plain" or out == ""  # no event that no run has written


def test_a_call_that_goes_on_with_a_run_is_not_taken_for_the_end_of_the_last(
    directory, capsys, monkeypatch
):
    class Left(threading.Event):
        def wait(self, seconds):
            self.set()

    monkeypatch.setattr(watch_command.threading, "Event", Left)
    with directory:
        write(directory, STARTED, STAGE, END)
        assert watch(RunDir(directory.path)) == 0
    assert "The call that goes on with this run has not begun yet" in capsys.readouterr().out


def test_who_leaves_is_told_that_the_run_goes_on(directory, capsys, monkeypatch):
    class Left(threading.Event):
        def wait(self, seconds):
            self.set()

    monkeypatch.setattr(watch_command.threading, "Event", Left)
    with directory:
        write(directory, STARTED, STAGE)
        assert watch(RunDir(directory.path)) == 0
    assert "The run goes on" in capsys.readouterr().out


def test_ctrl_c_leaves_and_stops_nothing(directory, capsys, monkeypatch):
    class Interrupted(threading.Event):
        def wait(self, seconds):
            raise KeyboardInterrupt

    monkeypatch.setattr(watch_command.threading, "Event", Interrupted)
    with directory:
        write(directory, STARTED, STAGE)
        assert watch(RunDir(directory.path)) == 0
    assert "The run goes on" in capsys.readouterr().out


def test_the_display_is_woken_when_all_that_is_new_was_read(directory, monkeypatch):
    told = []

    class Told(StreamDisplay):
        def __call__(self, event):
            told.append(event.kind)

        def look(self):
            told.append("look")

    class Left(threading.Event):
        def wait(self, seconds):
            if len(told) > 4:
                self.set()
            else:
                write(directory, STAGE, StageProgress(stage="train", done=1))

    monkeypatch.setattr(watch_command.threading, "Event", Left)
    monkeypatch.setattr(watch_command, "open_run_display", lambda *given, **named: Told())
    with directory:
        write(directory, STARTED)
        assert watch(RunDir(directory.path), "--progress", "json") == 0
    assert told == ["run_started", "look", "stage_started", "stage_progress", "look"]


def test_figures_are_two_seconds_old_at_most_and_not_painted_more_often_than_that_needs(
    directory, monkeypatch
):
    """Written, looked at and painted at once; and the display is given the watchers' pace."""
    # A beat until it is written, at the most, and another one where that is not looked at.
    assert 2 * BEAT_S + watching._AFTER_S <= 1.61  # the rest is for a busy machine
    assert watching._NEAR_S <= watching._AFTER_S
    assert WATCHING.paint == 0  # so that no look is passed over
    assert WATCHING.look > 2 * BEAT_S  # the display does not wake up by itself
    assert WATCHING.clock < BEAT_S  # at each look the time at least is painted
    asked = []

    def opened(kind, stream, keys, clock, *, watching=False):
        asked.append(watching)
        return open_run_display("none", stream)

    monkeypatch.setattr(watch_command, "open_run_display", opened)
    write(directory, STARTED, STAGE, END)
    assert watch(directory) == 0
    assert asked == [True]
