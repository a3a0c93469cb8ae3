"""Looking at another process's run."""

import fcntl
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from localdistill import watching
from localdistill.events import BEAT_S, Notice, Recorded, RunStarted
from localdistill.jsonl import JsonlWriter
from localdistill.run_dir import RunDir
from localdistill.watching import Recording, RunClock, is_at_work


def row(text):
    return Recorded(at=1.0, event=Notice(message=text))


def said(rows):
    return [each.event.message for each in rows]


@pytest.fixture
def directory(tmp_path):
    return RunDir(tmp_path)


def test_lines_come_once_and_a_torn_one_when_it_is_whole(directory):
    recording = Recording(directory)
    assert recording.new() == []
    with JsonlWriter(directory.events) as writer:
        writer.write(row("a"), row("b"))
        assert said(recording.new()) == ["a", "b"]
        line = row("ü").model_dump_json().encode()
        with directory.events.open("ab") as file:
            file.write(line[:-3])
        assert recording.new() == []
        with directory.events.open("ab") as file:
            file.write(line[-3:] + b"\n")
        assert said(recording.new()) == ["ü"]


@pytest.mark.parametrize(
    ("after", "wait"),
    [
        (0.08, 2 * BEAT_S + 0.02),  # just written: not now again
        (0.1, 2 * BEAT_S),
        (0.11, 2 * BEAT_S - 0.01),
        (0.75, 2 * BEAT_S - 0.65),
        (0.75 + 8 * BEAT_S, 2 * BEAT_S - 0.65),  # it goes on where a stage says nothing
        (0.75 - 8 * BEAT_S, 2 * BEAT_S - 0.65),  # and by a clock that was set back
    ],
)
def test_the_next_look_is_after_the_second_beat_or_the_next_if_there_was_nothing(
    directory, monkeypatch, after, wait
):
    with JsonlWriter(directory.events) as writer:
        writer.write(row("a"))
    os.utime(directory.events, (0.0, 100.0))
    recording = Recording(directory)
    monkeypatch.setattr(watching.time, "time", lambda: 100.0 + after)
    assert recording.new()
    assert recording.until_next() == pytest.approx(wait, abs=1e-6)
    assert not recording.new()
    assert recording.until_next() == pytest.approx(wait - BEAT_S, abs=1e-6)


def test_a_torn_line_that_the_next_call_cuts_off_is_never_seen(directory):
    with JsonlWriter(directory.events) as writer:
        writer.write(row("a"))
    recording = Recording(directory)
    with directory.events.open("ab") as file:
        file.write(row("torn").model_dump_json().encode()[:-9])
    assert said(recording.new()) == ["a"]
    with JsonlWriter(directory.events) as writer:
        writer.write(row("b"))
    assert said(recording.new()) == ["b"]


def test_lines_that_are_no_events_are_passed_over(directory):
    directory.events.write_bytes(
        b'{"kind": "old"}\n\xff\xfe\n' + row("a").model_dump_json().encode() + b"\n"
    )
    assert said(Recording(directory).new()) == ["a"]


def test_a_run_that_was_begun_anew_is_read_from_its_beginning(directory):
    with JsonlWriter(directory.events) as writer:
        writer.write(row("a"), row("b"))
    recording = Recording(directory)
    recording.new()
    directory.events.unlink()
    with JsonlWriter(directory.events) as writer:
        writer.write(row("c"))
    assert said(recording.new()) == ["c"]


def test_whether_a_run_is_at_work_is_seen_and_does_not_disturb_it(tmp_path):
    directory = RunDir(tmp_path / "run")
    assert not is_at_work(directory)
    with RunDir(tmp_path / "run"):
        assert is_at_work(directory)
        assert is_at_work(directory)
    assert not is_at_work(directory)


def is_locked(path):
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_a_run_begins_though_a_watcher_is_looking_just_then(tmp_path):
    (tmp_path / "run").mkdir()
    directory = RunDir(tmp_path / "run")
    looking = os.open(directory.stages_at_work, os.O_RDWR | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_SH)
    code = "import sys; from pathlib import Path; from localdistill.run_dir import RunDir\n"
    code += "run = RunDir(Path(sys.argv[1])).open(); print('open', flush=True)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", code, str(directory.path)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    while not (directory.path / "run.lock").exists() or not is_locked(directory.path / "run.lock"):
        assert run.poll() is None
    assert not select.select([run.stdout], [], [], 0)[0]  # it tries again, and does not give up
    os.close(looking)
    assert run.communicate(timeout=60)[0] == "open\n"
    assert run.returncode == 0


def test_a_second_watcher_is_not_taken_for_the_run(tmp_path):
    (tmp_path / "run").mkdir()
    directory = RunDir(tmp_path / "run")
    looking = os.open(directory.stages_at_work, os.O_RDWR | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_SH)
    assert not is_at_work(directory)
    os.close(looking)


def test_a_watcher_counts_no_time_in_which_the_machine_slept():
    steady, unix = [50.0], [1000.0]
    clock = RunClock(lambda: steady[0], lambda: unix[0])

    def told(at, event):
        return clock.at(Recorded(at=at, event=event))

    began = RunStarted(model="m", directory="d", log="l", rounds=1)
    assert told(0, began) == 0
    assert told(900, Notice(message="after a sleep")) == 0
    assert told(960, Notice(message="b")) == 60
    assert told(30_000, began) == 60  # another call
    assert told(29_000, Notice(message="the clock was set back")) == 60
    unix[0] = 29_012.0  # the line is read twelve seconds after it was written
    assert told(29_010, Notice(message="c")) == 70
    assert clock.now() == 72
    steady[0] += 5
    unix[0] += 80_000  # it was set
    assert clock.now() == 77
