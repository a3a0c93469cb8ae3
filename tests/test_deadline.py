"""The time that a run has left, over all of its calls."""

from localdistill.deadline import Deadline, worked_seconds
from localdistill.events import Notice, Recorded, RunStarted
from localdistill.jsonl import JsonlWriter

CALL = {"model": "m.gguf", "directory": "runs/m", "log": "runs/m/log.txt", "rounds": 1}


def test_time_is_that_in_which_a_call_was_at_work(tmp_path):
    events = tmp_path / "events.jsonl"
    assert worked_seconds(events) == 0.0
    calls = [(100.0, 110.0, 130.0), (5000.0, 5001.0), (9000.0,)]
    with JsonlWriter(events) as writer:
        for begin, *others in calls:
            writer.write(Recorded(at=begin, event=RunStarted(**CALL)))
            writer.write(*(Recorded(at=at, event=Notice(message="x")) for at in others))
    assert worked_seconds(events) == 31.0


def test_a_clock_that_was_set_back_takes_no_time_away(tmp_path):
    events = tmp_path / "events.jsonl"
    with JsonlWriter(events) as writer:
        for at, event in [(100.0, RunStarted(**CALL)), (40.0, Notice(message="x"))]:
            writer.write(Recorded(at=at, event=event))
    assert worked_seconds(events) == 0.0


def test_a_clock_that_jumps_and_a_machine_that_sleeps_are_no_work(tmp_path):
    events = tmp_path / "events.jsonl"
    moments = [100.0, 110.0, 90_110.0, 90_115.0, 40.0, 45.0]  # a day later, and back again
    with JsonlWriter(events) as writer:
        writer.write(Recorded(at=moments[0], event=RunStarted(**CALL)))
        writer.write(*(Recorded(at=at, event=Notice(message="x")) for at in moments[1:]))
    assert worked_seconds(events) == 20.0


def test_what_earlier_calls_have_had_is_gone():
    now = [50.0]
    deadline = Deadline(1.0, 600.0, lambda: now[0])
    assert deadline.left() == 3000.0
    now[0] += 1000.0
    assert deadline.left() == 2000.0
    assert deadline.moment(500.0) == 1550.0
    assert deadline.moment(5000.0) == 3050.0
    now[0] += 9000.0
    assert deadline.left() < 0
    assert deadline.grace() == 1.0


def test_a_call_that_begins_too_late_may_still_show_what_is_there():
    now = [50.0]
    late = Deadline(1.0, 9999.0, lambda: now[0])
    assert late.left() < 0
    assert late.grace() == 45.0
    now[0] += 40.0
    assert late.grace() == 5.0


def test_without_hours_there_is_no_end():
    deadline = Deadline(None)
    assert not deadline.exists
    assert deadline.left() == float("inf")
    assert deadline.moment(1.0) is None
    assert deadline.grace() is None
