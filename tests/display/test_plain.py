"""The plain display: whole lines that say what happened."""

import io
import time

from localdistill.display import open_display, plain, words
from localdistill.events import (
    Notice,
    RoundStarted,
    StageFinished,
    StageProgress,
    StageStarted,
    Steered,
)


def shown(*events):
    stream = io.StringIO()
    with open_display("plain", stream) as display:
        for event in events:
            display(event)
    return stream.getvalue().splitlines()


def test_a_stage_is_one_line_at_its_start_and_one_at_its_end():
    lines = shown(
        RoundStarted(round=1, rounds=2),
        StageStarted(stage="generate", title="generate", total=1600, unit="completions"),
        StageFinished(stage="generate", summary={"completions": 1600, "tokens/s": 1234.5}),
    )
    assert lines == [
        "Round 1 of 2",
        "  generate: 1,600 completions",
        "  generate done: 1,600 completions, 1,234 tokens/s",
    ]


def test_resumed_and_skipped_work_is_said():
    lines = shown(
        StageStarted(stage="verify", title="verify", total=10, done=4, unit="completions"),
        StageFinished(stage="verify", summary={}, skipped=True),
    )
    assert lines == ["  verify: 10 completions, 4 done before", "  verify already done"]


def test_progress_lines_are_spaced_out_and_give_the_time_left(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    stream = io.StringIO()
    display = plain.open_display(stream)
    display(StageStarted(stage="train", title="train", total=100, unit="steps"))
    clock[0] += 5
    display(StageProgress(stage="train", done=10, info={"loss": 0.5}))
    clock[0] += 15
    display(StageProgress(stage="train", done=40, info={"loss": 0.25}))
    assert stream.getvalue().splitlines()[1:] == ["    40 of 100, 0:30 left; loss 0.25"]


def test_of_two_stages_at_work_each_line_says_which(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    stream = io.StringIO()
    display = plain.open_display(stream)
    display(StageStarted(stage="generate", title="generate", total=None, unit="completions"))
    display(StageStarted(stage="verify", title="verify", total=None, unit="completions"))
    clock[0] += 16
    display(StageProgress(stage="generate", done=10, total=99, seconds_left=65.0, estimated=True))
    display(StageProgress(stage="verify", done=4, info={"passed": 3}))
    display(StageFinished(stage="generate"))
    clock[0] += 16
    display(StageProgress(stage="verify", done=50, total=66))
    assert stream.getvalue().splitlines() == [
        "  generate: completions, how many is open",
        "  verify: completions, how many is open",
        "    generate: 10 of about 99, about 1:05 left",
        "    verify: 4 so far; 3 passed",
        "  generate done",
        "    50 of 66, 0:10 left",
    ]


def test_warnings_stand_out():
    assert shown(Notice(level="warning", message="careful")) == ["  Warning: careful"]


def test_not_on_a_terminal_means_plain():
    assert isinstance(open_display(None, io.StringIO()), plain.PlainDisplay)


def test_durations():
    assert [words.duration(s) for s in (None, 0, 61, 3729)] == ["-", "0:00", "1:01", "1:02:09"]


def test_what_keys_do_and_what_they_did_is_said():
    stream = io.StringIO()
    with plain.PlainDisplay(stream, keys="q stops") as display:
        for wish in ("pause", "resume", "stop"):
            display(Steered(wish=wish))
    assert stream.getvalue().splitlines() == [
        "Keys: q stops.",
        "  Paused after this batch. p goes on.",
        "  Going on.",
        "  Stopping after this batch; the same command goes on from here.",
    ]


def test_of_what_is_long_past_progress_is_not_spoken_of():
    stream = io.StringIO()
    display = plain.PlainDisplay(stream)
    display.take(StageStarted(stage="train", title="train", total=100, unit="steps"), 1000.0)
    display.take(StageProgress(stage="train", done=40), 1100.0, quietly=True)
    display.take(StageProgress(stage="train", done=50), 1100.0)
    assert stream.getvalue().splitlines()[1:] == ["    50 of 100, 1:40 left"]
