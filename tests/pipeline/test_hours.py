"""A run with --hours: what is left out, what is told of it, and that it ends."""

import json
import threading
import time

import pytest

from localdistill import config as configuration
from localdistill import pipeline, result_text
from localdistill.deadline import Deadline, OutOfTime
from localdistill.errors import ConfigError, StageFailed
from localdistill.events import Notice
from localdistill.jsonl import read_rows
from localdistill.markers import mark_done
from localdistill.pipeline.timekeeper import Timekeeper
from localdistill.run_dir import RoundDir
from localdistill.types import Problem


@pytest.fixture
def timed(requests, monkeypatch):
    """Stages that take no time and say that theirs was over; a speed of a completion a second."""
    usual = pipeline.session.run_stage

    def stage(name, request, *more, started=None):
        found = usual(name, request, *more)
        if name == "train":
            return {"out_of_time": True, "steps": 4, "planned_steps": 9}
        return found

    monkeypatch.setattr(pipeline.session, "run_stage", stage)
    return requests


def named(requests, name):
    return [request for found, request in requests if found == name]


def with_problems(config, tmp_path, name, count):
    path = tmp_path / f"{name}_.jsonl"
    row = json.loads(path.read_text())
    rows = [{**row, "id": f"{name}{n}", "prompt": f"{name} {n}"} for n in range(count)]
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return {**config, f"{name}_problems": str(path)}


def test_stages_are_told_when_to_end_and_what_is_left_out_is_written_and_said(
    timed, config, tmp_path
):
    before = time.monotonic()
    config = with_problems(config, tmp_path, "eval", 100)
    config = with_problems(config, tmp_path, "dev", 30)
    built = configuration.build({**config, "hours": 0.05})
    events = []
    result = pipeline.run(built, tmp_path / "run", events.append)
    generate, train = named(timed, "generate")[0], named(timed, "train")[0]
    assert before < generate.until < train.until < before + 180
    part = read_rows(tmp_path / "run" / "problems" / "eval-part.jsonl", Problem)
    assert 10 <= len(part) < 100
    evaluated = named(timed, "evaluate")[-1]
    assert evaluated.problems == str(tmp_path / "run" / "problems" / "eval-part.jsonl")
    said = [event.message for event in events if isinstance(event, Notice)]
    assert any(f"The comparison on {len(part)} problems" in text for text in said)
    written = json.loads((tmp_path / "run" / "omitted.json").read_text())
    assert written["hours"] == 0.05
    assert [item["stage"] for item in written["items"]] == ["train", "evaluate", "evaluate"]
    text = result_text.result_text(result)
    assert "Round 1: training ended after step 4 of 9." in text
    assert f"{100 - len(part)} of the 100 problems of eval" in text
    # There was no time to look for the best decoding on 10 problems of dev or more.
    assert "decoding" not in [name for name, _ in timed]
    assert "the new model is decoded as the starting one" in text


def test_without_hours_no_stage_has_an_end(requests, config, tmp_path):
    result = pipeline.run(configuration.build(config), tmp_path / "run", lambda event: None)
    assert named(requests, "generate")[0].until is None
    assert named(requests, "train")[0].until is None
    assert result.omitted is None
    assert not (tmp_path / "run" / "omitted.json").exists()


def test_rounds_that_do_not_fit_are_not_begun(timed, config, tmp_path, monkeypatch):
    begins = iter([True, False])
    monkeypatch.setattr(Timekeeper, "begins", lambda *arguments: next(begins))
    built = configuration.build({**config, "hours": 1.0, "rounds": 3})
    result = pipeline.run(built, tmp_path / "run", lambda event: None)
    assert len(named(timed, "generate")) == 1
    assert result.model.label == "round-01"


def test_a_time_in_which_nothing_can_be_done_is_refused_with_the_least(requests, config, tmp_path):
    built = configuration.build({**config, "hours": 0.001})
    with pytest.raises(ConfigError, match=r"--hours 0.001 is 4 s: .* 30 s .*Give --hours 0.017 or"):
        pipeline.run(built, tmp_path / "run", lambda event: None)
    assert not (tmp_path / "run").exists()


def test_hours_may_be_named_anew_and_stay_where_they_are_not(timed, config, tmp_path):
    def again(**more):
        built = configuration.build({**config, **more})
        return pipeline.run(built, tmp_path / "run", lambda event: None).omitted.hours

    assert again(hours=1.0) == 1.0
    assert again(hours=2.0) == 2.0
    assert again() == 1.0
    assert again(hours=2.0, seed=0) == 2.0


def test_without_time_for_a_comparison_the_model_is_there_and_nothing_is_claimed(
    timed, config, tmp_path, monkeypatch
):
    def none(*arguments, **how):
        raise OutOfTime("there was no time")

    monkeypatch.setattr(Timekeeper, "problems", none)
    built = configuration.build({**config, "hours": 1.0})
    result = pipeline.run(built, tmp_path / "run", lambda event: None)
    assert (result.evaluation, result.model.label) == (None, "round-01")
    text = result_text.result_text(result)
    assert "Verdict: not known" in text
    assert "The comparison of the models on eval" in text


def test_a_stage_that_goes_on_after_the_end_is_ended(tmp_path):
    class Child:
        def terminate(self):
            ended.set()

        def wait(self, seconds):
            pass

    ended = threading.Event()
    keeper = Timekeeper(Deadline(1.0), tmp_path / "omitted.json", lambda event: None)
    keeper.deadline.grace = lambda: 0.01
    with pytest.raises(OutOfTime), keeper.watched() as started:
        started(Child())
        assert ended.wait(60)
        raise StageFailed("its process ended with signal 15")
    keeper.deadline.grace = lambda: 60.0
    with pytest.raises(StageFailed), keeper.watched() as started:
        started(Child())
        raise StageFailed("for another reason")


def test_an_export_that_would_not_end_is_not_trained_for(tmp_path):
    now = [0.0]
    keeper = Timekeeper(
        Deadline(0.05, 0.0, lambda: now[0]), tmp_path / "omitted.json", lambda event: None
    )
    paths = RoundDir(tmp_path)
    assert keeper.begins(1, 1, paths)
    assert 0 < keeper.train_until() < 180
    now[0] = 170.0
    with pytest.raises(OutOfTime):
        keeper.train_until()
    assert not keeper.begins(2, 3, paths)
    assert keeper.omitted.items[0].what.startswith("Rounds 2 to 3 of 3: 10 s")


def test_a_round_that_is_broken_off_leaves_the_rest_of_the_time_to_the_comparison(
    timed, config, tmp_path, monkeypatch
):
    config = with_problems(config, tmp_path, "eval", 100)
    built = configuration.build({**config, "rounds": 2, "hours": 1})
    usual, clock = pipeline.rounds.sample, [0.0]
    monkeypatch.setattr(pipeline.session.Deadline, "now", lambda self: time.monotonic() + clock[0])

    def sample(session, number, model):
        if number == 2:
            clock[0] = session.time._given  # of the round, which is not all that is left
            raise OutOfTime("it took too long")
        usual(session, number, model)

    monkeypatch.setattr(pipeline.rounds, "sample", sample)
    result = pipeline.run(built, tmp_path / "run", lambda event: None)
    assert result.evaluation is not None
    assert not (tmp_path / "run" / "problems" / "eval-part.jsonl").exists()


def test_of_a_generation_that_an_earlier_call_has_drawn_no_speed_is_made_up(tmp_path):
    keeper = Timekeeper(Deadline(1.0), tmp_path / "omitted.json", lambda event: None)
    completions = tmp_path / "completions.jsonl"
    whole = tmp_path / "eval.jsonl"
    whole.write_text("".join(f'{{"id": "{n}", "prompt": "p"}}\n' for n in range(100)))
    completions.write_text("{}\n")
    with keeper.measured(completions) as tested:  # killed after the last row, before the marker
        mark_done(completions, completions=800, tokens=80_000, tokens_per_second=0.0)
        tested()
    keeper.note_sampled(1, completions)
    keeper.problems(whole, tmp_path / "part.jsonl", drawn=2, models=2, share=1.0)
    assert not (tmp_path / "part.jsonl").exists()
