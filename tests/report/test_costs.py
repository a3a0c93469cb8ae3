"""Time and tokens of each stage, from events."""

from localdistill.events import Recorded, RoundStarted, StageFinished, StageProgress, StageStarted
from localdistill.report import costs
from tests.report.making import BEGAN, rows


def test_each_stage_with_its_time_and_tokens(finished):
    found = costs.read(finished.path / "events.jsonl")
    assert [(each.round, each.title, each.seconds, each.tokens) for each in found.stages] == [
        (0, "prepare", 2, None),
        (1, "generate", 60, 1234),
        (1, "verify", 6, None),
        (1, "train", 60, 3456),
        (0, "evaluate (eval)", 30, 210),
    ]
    assert found.seconds == 158
    assert found.tokens == 1234 + 3456 + 210
    assert (found.began, found.last) == (BEGAN, BEGAN + 161)
    assert [notice.message for notice in found.notices] == [
        "The comparison finds a gain of 11.2 points."
    ]


def written(path, *parts):
    rows(path, [Recorded(at=at, event=event) for at, event in parts])
    return costs.read(path)


def test_a_pause_after_a_kill_is_no_work_and_nothing_is_counted_twice(tmp_path):
    generate = StageStarted(stage="generate", title="generate", total=9)
    found = written(
        tmp_path / "events.jsonl",
        (0, RoundStarted(round=1, rounds=1)),
        (0, generate),
        (50, StageProgress(stage="generate", done=4)),  # killed; the next call is a day later
        (90_000, RoundStarted(round=1, rounds=1)),
        (90_000, generate.model_copy(update={"done": 4})),
        (90_040, StageFinished(stage="generate", summary={"tokens": 700})),
        (99_000, RoundStarted(round=1, rounds=1)),  # and once more, all done
        (99_000, generate.model_copy(update={"done": 9})),
        (99_001, StageFinished(stage="generate", summary={"tokens": 700}, skipped=True)),
    )
    (cost,) = found.stages
    assert cost.seconds == 91
    assert cost.tokens == 700


def test_while_the_machine_slept_nothing_was_at_work(tmp_path):
    verify = StageStarted(stage="verify", title="verify", total=9)
    found = written(
        tmp_path / "events.jsonl",
        (0, verify),
        (30, StageProgress(stage="verify", done=4)),
        (29_000, StageProgress(stage="verify", done=5)),
        (29_010, StageFinished(stage="verify")),
    )
    assert found.stages[0].seconds == 40


def test_a_clock_that_was_set_back_takes_nothing_away(tmp_path):
    train = StageStarted(stage="train", title="train", total=1)
    found = written(tmp_path / "events.jsonl", (5000, train), (100, StageFinished(stage="train")))
    assert found.stages[0].seconds == 0


def test_torn_lines_and_events_of_later_versions_are_borne(tmp_path):
    path = tmp_path / "events.jsonl"
    train = StageStarted(stage="train", title="train", total=1)
    done = StageFinished(stage="train", summary={"trained tokens": 5})
    known = [
        Recorded(at=at, event=event).model_dump_json() for at, event in ((1, train), (3, done))
    ]
    path.write_text("\n".join(known) + '\n{"at": 3, "event": {"kind": "of later"}}\n{"at": 5, "ev')
    found = costs.read(path)
    assert (found.stages[0].seconds, found.stages[0].tokens) == (2.0, 5)
    assert costs.read(tmp_path / "none.jsonl").stages == []
