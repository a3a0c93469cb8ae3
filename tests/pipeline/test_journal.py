"""What of a run's events stands in its file, and when."""

import threading
import time
from types import SimpleNamespace

import pytest

from localdistill.events import (
    BEAT_S,
    Notice,
    Recorded,
    StageFinished,
    StageProgress,
    StageStarted,
    Usage,
    ignore,
)
from localdistill.jsonl import read_rows
from localdistill.pipeline import journal as journal_module
from localdistill.pipeline.journal import Journal

USAGE = Usage(memory_used=1, memory_total=2)


@pytest.fixture
def beats(monkeypatch):
    """Lets a journal's thread go on by one beat at a time, and has its clock."""

    class Beats:
        def __init__(self):
            self.asked, self.given = threading.Semaphore(0), threading.Semaphore(0)
            self.looked, self.look_again = threading.Semaphore(0), threading.Semaphore(0)
            self.over = False
            self.now = 100.0
            self.waits = []

        def wait(self, seconds):
            if seconds == journal_module._USAGE_S:  # the other thread, which looks at the machine
                self.looked.release()
                assert self.look_again.acquire(timeout=30)
                return self.over
            self.waits.append(seconds)
            self.asked.release()
            assert self.given.acquire(timeout=30)
            return self.over

        def set(self):
            self.over = True
            self.given.release()
            self.look_again.release()

        def one(self):
            """Until it has come to the next."""
            self.now += self.waits[-1]
            self.given.release()
            assert self.asked.acquire(timeout=30)

    found = Beats()
    clock = SimpleNamespace(time=time.time, monotonic=lambda: found.now)
    monkeypatch.setattr(journal_module, "time", clock)
    return found


def progress(done, stage="generate"):
    return StageProgress(stage=stage, done=done)


def kept(path):
    return [row.event for row in read_rows(path, Recorded) if row.event != USAGE]


def test_of_progress_the_last_of_each_stage_is_written_once_a_beat(tmp_path, beats):
    path, seen = tmp_path / "events.jsonl", []
    journal = Journal(seen.append, lambda: USAGE, beats)
    started = StageStarted(stage="generate", title="generate", total=9)
    journal(started)
    journal.open(path)
    assert beats.asked.acquire(timeout=30)
    for done in range(1, 6):
        journal(progress(done))
    journal(progress(2, "verify"))
    assert kept(path) == [started]
    beats.one()
    assert kept(path) == [started, progress(5), progress(2, "verify")]
    beats.one()
    assert len(kept(path)) == 3  # nothing new, nothing written
    journal(progress(6))
    journal.close()
    assert kept(path)[-1] == progress(6)
    assert [event for event in seen if event != USAGE][1:6] == [progress(n) for n in range(1, 6)]


def test_what_comes_after_progress_stands_after_it(tmp_path, beats):
    path = tmp_path / "events.jsonl"
    journal = Journal(ignore, lambda: USAGE, beats)
    journal.open(path)
    journal(progress(9))
    journal(StageFinished(stage="generate"))
    journal.close()
    assert [event.kind for event in kept(path)] == ["stage_progress", "stage_finished"]


def test_the_machine_is_looked_at_at_once_and_then_now_and_then(tmp_path, beats):
    path = tmp_path / "events.jsonl"
    journal = Journal(ignore, lambda: USAGE, beats)
    journal.open(path)
    for _ in range(2):
        assert beats.looked.acquire(timeout=30)
        beats.look_again.release()
    assert beats.looked.acquire(timeout=30)
    journal.close()
    assert [row.event for row in read_rows(path, Recorded)].count(USAGE) == 3


def test_a_driver_that_does_not_answer_holds_nothing_up(tmp_path, beats, monkeypatch):
    monkeypatch.setattr(journal_module, "_PATIENCE_S", 0.01)
    path, answers = tmp_path / "events.jsonl", threading.Event()

    def look():
        assert answers.wait(timeout=60)
        return USAGE

    journal = Journal(ignore, look, beats)
    journal.open(path)
    assert beats.asked.acquire(timeout=30)
    journal(progress(1))
    beats.one()
    assert kept(path) == [progress(1)]
    journal.close()
    answers.set()


def test_what_is_said_twice_is_shown_once_and_kept_twice(tmp_path, beats):
    path, seen = tmp_path / "events.jsonl", []
    journal = Journal(seen.append, lambda: USAGE, beats)
    journal(Notice(message="a"))
    journal.open(path)
    journal(Notice(message="a"))
    journal.close()
    assert [event for event in seen if event != USAGE] == [Notice(message="a")]
    assert kept(path) == [Notice(message="a")] * 2


def test_a_refused_call_leaves_no_file(tmp_path):
    journal = Journal(ignore, lambda: USAGE)
    journal(Notice(message="a"))
    journal(progress(1))
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_met_by_the_run_and_not_by_the_thread_beside_it(tmp_path, beats):
    path = tmp_path / "events.jsonl"
    journal = Journal(ignore, lambda: USAGE, beats)
    journal.open(path)
    assert beats.asked.acquire(timeout=30)

    def full(*rows):
        raise OSError(28, "No space left on device")

    write, journal.file.write = journal.file.write, full
    journal(progress(1))
    beats.one()
    with pytest.raises(OSError, match="No space"):
        journal(Notice(message="a"))
    journal.file.write = write
    journal.close()


def test_the_beat_goes_by_what_was_written_last(tmp_path, beats):
    path = tmp_path / "events.jsonl"
    journal = Journal(ignore, lambda: USAGE, beats)
    journal.open(path)
    assert beats.asked.acquire(timeout=30) and beats.looked.acquire(timeout=30)
    beats.one()  # with nothing to write
    assert beats.waits[-1] == pytest.approx(BEAT_S)
    beats.now += 0.5
    journal(Notice(message="between two beats"))
    journal(progress(1))
    beats.now -= 0.5
    beats.one()  # at the beat as it was before the notice
    assert beats.waits[-1] == pytest.approx(0.5)
    assert [event.kind for event in kept(path)] == ["notice"]
    beats.one()
    assert kept(path)[1:] == [progress(1)]
    assert beats.waits[-1] == pytest.approx(BEAT_S)
    journal.close()
