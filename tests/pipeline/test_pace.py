"""What earlier calls of a run have taken for the stages of a round."""

import pytest

from localdistill.errors import Stopped
from localdistill.events import (
    Notice,
    Pace,
    Planned,
    Recorded,
    RoundStarted,
    RunFinished,
    RunStarted,
    StageFinished,
    StageProgress,
    StageStarted,
    Steered,
)
from localdistill.jsonl import JsonlWriter, read_rows
from localdistill.markers import mark_done, write_whole
from localdistill.pipeline.pace import earlier
from localdistill.run_dir import RunDir
from tests.pipeline.helpers import run

CALL = RunStarted(model="m.gguf", directory="d", log="d/log.txt", rounds=2)
ROUND = RoundStarted(round=1, rounds=2)
END = RunFinished(outcome="stopped", exit_code=130)


def started(stage, total=100, done=0):
    return StageStarted(stage=stage, title=stage, total=total, done=done, unit="completions")


def progress(stage, done):
    return StageProgress(stage=stage, done=done)


def written(path, *rows):
    """``rows`` are (seconds since the call began, event); there is an event every minute.

    Each call begins a day after the one before.
    """
    day, before = 0.0, 0.0
    with JsonlWriter(path) as writer:
        for seconds, event in rows:
            if event is CALL:
                day, before = day + 86_400, 0.0
            while seconds - before > 60:
                before += 60
                writer.write(Recorded(at=day + before, event=Notice(message="m")))
            writer.write(Recorded(at=day + seconds, event=event))
            before = seconds
    return earlier(path)


def test_a_stage_that_several_calls_have_worked_on_is_added_up(tmp_path):
    found = written(
        tmp_path / "events.jsonl",
        (0.0, CALL), (5.0, ROUND), (5.0, started("generate")),
        (45.0, progress("generate", 20)),  # killed
        (0.0, CALL), (2.0, ROUND), (2.0, started("generate", done=20)),
        (12.0, progress("generate", 30)), (12.0, Steered(wish="pause")),
        (900.0, Steered(wish="resume")), (1050.0, progress("generate", 100)),
        (1050.0, StageFinished(stage="generate")),
        (1050.0, started("verify")), (1060.0, progress("verify", 40)), (1061.0, END),
    )  # fmt: skip
    assert found["generate"] == Pace(round=1, seconds=40 + 10 + 150, units=100, whole=True)
    assert found["verify"] == Pace(round=1, seconds=10, units=40, whole=False)
    assert set(found) == {"generate", "verify"}


def test_what_was_only_looked_at_again_takes_nothing_away(tmp_path):
    found = written(
        tmp_path / "events.jsonl",
        (0.0, CALL), (5.0, ROUND), (5.0, started("train")),
        (95.0, StageFinished(stage="train")),  # without a word of progress
        (0.0, CALL), (2.0, ROUND), (2.0, started("train", done=100)),
        (2.5, StageFinished(stage="train", skipped=True)),
        (3.0, started("select")), (3.5, StageFinished(stage="select", skipped=True)),
    )  # fmt: skip
    assert found == {"train": Pace(round=1, seconds=90, units=100, whole=True)}


def test_the_last_round_counts_and_a_killed_pause_ends_with_its_call(tmp_path):
    found = written(
        tmp_path / "events.jsonl",
        (0.0, CALL), (5.0, ROUND), (5.0, started("generate")),
        (45.0, StageFinished(stage="generate")), (46.0, Steered(wish="pause")),
        (0.0, CALL), (2.0, RoundStarted(round=2, rounds=2)), (2.0, started("generate")),
        (32.0, progress("generate", 60)),
    )  # fmt: skip
    assert found == {"generate": Pace(round=2, seconds=30, units=60, whole=False)}


def test_what_a_machine_slept_and_what_others_than_rounds_trained_is_left_out(tmp_path):
    path, arm = tmp_path / "events.jsonl", started("train")
    with JsonlWriter(path) as writer:
        for at, event in (
            (0, CALL), (0, ROUND), (0, started("train")), (30, progress("train", 50)),
            (9_030, progress("train", 50)), (9_040, StageFinished(stage="train")),
            (9_040, arm.model_copy(update={"title": "train (control references)"})),
            (9_080, StageFinished(stage="train")),
            (9_080, started("select").model_copy(update={"title": "select (tests)"})),
            (9_081, StageFinished(stage="select")),
        ):  # fmt: skip
            writer.write(Recorded(at=at, event=event))
    found = earlier(path)
    assert found.pop("train") == Pace(round=1, seconds=40, units=50, whole=True)
    assert found == {"select": Pace(round=1, seconds=1, units=100, whole=True)}


def test_there_is_none_without_events(tmp_path):
    assert earlier(tmp_path / "events.jsonl") == {}
    (tmp_path / "events.jsonl").write_bytes(b'{"kind": "old"}\n\x00\x00\n')
    assert earlier(tmp_path / "events.jsonl") == {}


def test_a_run_that_goes_on_tells_of_its_earlier_calls(requests, config, tmp_path, monkeypatch):
    from localdistill.pipeline import session

    ask = session.run_stage

    def told(name, request, callback, *rest, **how):
        if name == "select":
            callback(started("generate"))
            callback(progress("generate", 100))
            callback(StageFinished(stage="generate"))
            raise Stopped
        return ask(name, request, callback, *rest, **how)

    with monkeypatch.context() as patched:
        patched.setattr(session, "run_stage", told)
        with pytest.raises(Stopped):
            run(config, tmp_path)
    directory = RunDir(tmp_path / "run")
    drawn = directory.scores("eval", "base") / "completions.jsonl"
    drawn.parent.mkdir(parents=True)
    drawn.write_text('{"a": 1}\n{"a": 2}\n{"a": 3}\n')
    run(config, tmp_path)
    first, second = (
        row.event for row in read_rows(directory.events, Recorded) if isinstance(row.event, Planned)
    )
    assert first.earlier == {}
    pace = second.earlier["generate"]
    assert (pace.round, pace.units, pace.whole) == (1, 100, True)
    assert (first.final_completions, second.final_completions) == (8, 8 - 3)


@pytest.mark.parametrize(
    ("others", "compared", "left"),
    [
        (["round-01"], False, 4 - 1),  # gone on with
        (["round-01"], True, 4),  # of an older model
        (["round-01", "round-02"], False, 4),  # which of them will be compared is not known
    ],
)
def test_what_is_there_of_the_comparison_is_not_drawn_again(
    requests, config, tmp_path, others, compared, left
):
    run(config, tmp_path)
    directory = RunDir(tmp_path / "run")
    base = directory.scores("eval", "base") / "completions.jsonl"
    for label in ("base", *others):
        path = directory.scores("eval", label) / "completions.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"a": 1}\n')
    mark_done(base, count=1)  # greedy: one of each problem, and no more to come
    if compared:
        write_whole(directory.evaluation, '{"candidate": {"model": "round-01"}}\n')
    run(config, tmp_path)
    plans = [row.event for row in read_rows(directory.events, Recorded)]
    assert [each for each in plans if isinstance(each, Planned)][-1].final_completions == left
