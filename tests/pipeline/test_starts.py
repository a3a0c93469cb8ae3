"""Which model a round goes on with, and which one is compared, after a kill."""

import json
from collections import defaultdict

import pytest

from localdistill import config as configuration
from localdistill import pipeline
from localdistill.deadline import OutOfTime
from localdistill.errors import ConfigError, TrainingDiverged
from localdistill.events import Notice
from localdistill.jsonl import read_rows
from localdistill.markers import mark_done, write_whole
from localdistill.pipeline.timekeeper import Timekeeper
from localdistill.stages import generate_resume
from localdistill.types import Opening
from tests.pipeline.helpers import labels, run

# With time for dev neither round is as good as the starting model, and the first is the better one.
LOSING = {"base": 0.9, "round-01": 0.6, "round-02": 0.5, "round-03": 0.4}
# With time for dev the second round is the best one.
MIXED = {"base": 0.5, "round-01": 0.3, "round-02": 0.6, "round-03": 0.55}


class Killed(BaseException):
    """As if the process had been killed."""


class Calls:
    """Calls of a run whose stages leave what real ones leave, and refuse what those refuse."""

    def __init__(self, monkeypatch, requests):
        self.requests = requests
        self.usual = pipeline.session.run_stage
        self.time = True  # whether there is time for dev
        self.over = False  # whether all time is over, so that stages are ended at once
        self.fails = None  # the model for which dev takes too long
        self.count, self.kill_at = 0, -1
        self.begun = defaultdict(set)  # round -> the models that it was sampled from
        self.trained = defaultdict(set)
        monkeypatch.setattr(pipeline.session, "run_stage", self.stage)
        monkeypatch.setattr(Timekeeper, "problems", self.problems)

    def problems(self, whole, part, drawn, models, share):
        if whole.stem == "dev" and not self.time:
            raise OutOfTime("there was no time for a comparison on dev")

    def stage(self, name, request, *more, started=None):
        self.count += 1
        if self.count == self.kill_at:
            raise Killed
        if self.over and name != "prepare":
            raise OutOfTime("a stage took longer than there was time")
        if name in ("generate", "train") and "rounds" in request.model.parts:
            assert request.model.exists(), "removed too early"
        if name == "generate":
            identity = {"model": generate_resume.model_digest(request.model)}
            generate_resume.check_same(request.out, identity)
            self.begun[request.round].add(request.model.parent.name)
            request.out.parent.mkdir(parents=True, exist_ok=True)
            generate_resume.write_record(request.out, identity)
            write_whole(request.out, "{}\n", completions=1, tokens=1, tokens_per_second=1.0)
        if name == "decoding" and request.model.label == self.fails:
            raise OutOfTime("a stage took longer than there was time")
        found = self.usual(name, request, *more)
        if name == "train":
            self.trained[int(request.out.parent.name)].add(request.model.parent.name)
            if not request.out.exists():
                request.out.mkdir()
                mark_done(request.out)
        if name == "export":
            request.merged.mkdir(exist_ok=True)
            mark_done(request.merged)
            mark_done(request.out)
        if name in ("decoding", "evaluate"):
            write_whole(request.out, json.dumps(found))
        return found

    def run(self, config, path, time=True, kill_at=-1, fails=None, **more):
        """One call; returns its result, or None where it was killed."""
        self.time, self.count, self.kill_at, self.fails = time, 0, kill_at, fails
        more = {"hours": 1.0, "rounds": 2, "stop_after": 0, **more}
        try:
            return run(config, path, **more)
        except Killed:
            return None

    def until(self, stage, number):
        """The count of the stage before which to kill, so that round ``number`` has had it."""
        seen = [name for name, _ in self.requests]
        places = [place for place, name in enumerate(seen, start=1) if name == stage]
        return places[number - 1] + 1


@pytest.fixture
def calls(requests, monkeypatch):
    return Calls(monkeypatch, requests)


def opened(path):
    return [each.candidate for each in read_rows(path / "run" / "openings.jsonl", Opening)]


@pytest.mark.parametrize(
    ("scores", "first", "second"),
    [(LOSING, False, True), (LOSING, True, False), (MIXED, True, True)],
)
def test_killed_before_any_stage_a_run_goes_on_from_the_same_models(
    calls, on_dev, config, tmp_path, scores, first, second
):
    on_dev |= scores
    whole = calls.run(config, tmp_path / "whole", first)
    for number in range(1, calls.count + 1):
        calls.begun.clear()
        calls.trained.clear()
        path = tmp_path / str(number)
        assert calls.run(config, path, first, kill_at=number) is None
        again = calls.run(config, path, second)
        assert all(len(models) == 1 for models in calls.begun.values())
        assert all(len(models) == 1 for models in calls.trained.values())
        assert opened(path) == [again.model.label]
        if first == second:
            assert again.model.label == whole.model.label
        # Whatever a third call has time for changes nothing.
        third = calls.run(config, path, first)
        assert (third.model, third.evaluation) == (again.model, again.evaluation)
        assert len(opened(path)) == 1


def killed_in(calls, requests, config, path, stage, number, **more):
    """A call that is killed when round ``number`` has begun with ``stage``."""
    requests.clear()
    calls.run(config, path / "probe", **more)
    place = calls.until(stage, number)
    assert calls.run(config, path, kill_at=place, **more) is None
    calls.begun.clear()
    requests.clear()


def test_with_more_hours_dev_is_asked_and_a_round_that_has_begun_goes_on(
    calls, requests, on_dev, config, tmp_path
):
    on_dev |= LOSING
    killed_in(calls, requests, config, tmp_path, "generate", 2, time=False, rounds=3)
    said = []
    built = configuration.build({**config, "hours": 1.0, "rounds": 3, "stop_after": 0})
    calls.time, calls.kill_at = True, -1
    pipeline.run(built.model_copy(update={"hours": 2.0}), tmp_path / "run", said.append)
    # Round 3 had not begun: it begins with what dev has found to be the best.
    assert calls.begun[2] == {"01"}
    assert calls.begun[3] == {"start"}
    told = [each.message for each in said if isinstance(each, Notice)]
    assert (
        "Round 2 goes on with round-01, with which it began; the champion is base by now." in told
    )
    assert labels(requests, "decoding") == ["base", "round-01", "round-02", "round-03"]
    # Shown again, also with the hours of before, it is the same.
    first = calls.run(config, tmp_path, hours=2.0, rounds=3)
    assert calls.run(config, tmp_path, time=False, rounds=3).model == first.model
    assert first.model.label == "round-01"
    assert opened(tmp_path) == ["round-01"]


def test_with_the_same_hours_dev_is_left_out_as_it_was(calls, requests, on_dev, config, tmp_path):
    on_dev |= LOSING
    killed_in(calls, requests, config, tmp_path, "generate", 2, time=False)
    result = calls.run(config, tmp_path)
    assert labels(requests, "decoding") == []
    assert result.model.label == "round-02"
    assert any("Choices on dev" in each.what for each in result.omitted.items)
    noted = json.loads((tmp_path / "run/rounds/01/unscored.json").read_text())
    assert (noted["hours"], noted["reason"]) == (1.0, "there was no time for a comparison on dev")


def test_what_dev_has_told_of_the_start_stands_where_there_was_no_time_for_more(
    calls, requests, on_dev, config, tmp_path
):
    on_dev["base"] = {"t1": 0.2, "greedy": 0.6, "t0.6-p0.95": 0.5}
    killed_in(calls, requests, config, tmp_path, "generate", 2, fails="round-01")
    calls.run(config, tmp_path)
    (compared,) = [r for name, r in requests if name == "evaluate" and r.name == "eval"]
    assert compared.candidate.sampling.greedy and compared.baseline.sampling.greedy


def test_a_finished_run_is_shown_also_where_there_is_no_time_to_look_at_it(
    calls, requests, on_dev, config, tmp_path
):
    on_dev |= LOSING
    first = calls.run(config, tmp_path)
    assert first.model.label == "round-01"
    calls.over = True
    again = calls.run(config, tmp_path)
    assert (again.model, again.evaluation) == (first.model, first.evaluation)
    assert (tmp_path / "run" / "evaluation.json").is_file()
    assert opened(tmp_path) == ["round-01"]


def test_what_a_round_has_begun_with_stays_until_it_is_over(
    calls, requests, on_dev, config, tmp_path
):
    # The second round's model is the best one, but in the first call there was no time for it.
    on_dev |= {"base": 0.2, "round-01": 0.5, "round-02": 0.7, "round-03": 0.1}
    more = {"rounds": 3, "keep": "best+last"}
    killed_in(calls, requests, config, tmp_path, "generate", 3, **more, fails="round-02")
    result = calls.run(config, tmp_path, hours=2.0, **more)
    assert calls.begun[3] == {"01"}
    assert result.model.label == "round-02"
    # Then it goes.
    assert not (tmp_path / "run/rounds/01/model.gguf").exists()


def test_a_round_that_has_begun_is_not_left_for_want_of_progress(
    calls, requests, on_dev, config, tmp_path
):
    on_dev |= LOSING
    more = {"rounds": 4, "stop_after": 1}
    on_dev["round-04"] = 0.3
    killed_in(calls, requests, config, tmp_path, "generate", 3, time=False, **more)
    calls.run(config, tmp_path, hours=2.0, **more)
    assert calls.begun[3] == {"02"}
    assert not calls.begun[4]
    assert json.loads((tmp_path / "run/stopped.json").read_text())["after_round"] == 3


def test_notes_that_are_damaged_or_wrong_are_one_line(calls, requests, config, tmp_path):
    killed_in(calls, requests, config, tmp_path, "generate", 2, time=False)
    rounds = tmp_path / "run/rounds"
    began = rounds / "02" / "began.json"
    whole = began.read_text()
    began.write_text(whole[:9])  # cut short: its copy has it
    assert calls.run(config, tmp_path, kill_at=2) is None
    assert calls.run(config, tmp_path).model.label == "round-02"
    for damaged in ("{}", whole.replace('"of_round": 1', '"of_round": 2')):
        began.write_text(damaged)
        with pytest.raises(ConfigError, match=r"02/began\.json: .*Delete the folder"):
            calls.run(config, tmp_path)
    began.write_text(whole)
    (rounds / "01" / "unscored.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"unscored\.json: is damaged"):
        calls.run(config, tmp_path)


def test_without_hours_a_rounds_beginning_is_noted_and_nothing_else(
    calls, requests, config, tmp_path
):
    calls.run(config, tmp_path, hours=None)
    notes = [
        json.loads((tmp_path / f"run/rounds/0{number}/began.json").read_text()) for number in (1, 2)
    ]
    assert [(each["model"], each["of_round"]) for each in notes] == [("base", 0), ("round-01", 1)]
    assert not list((tmp_path / "run").glob("rounds/*/unscored.json"))


def test_a_round_that_gives_nothing_names_the_champion_as_what_is_kept(
    calls, requests, on_dev, config, tmp_path, monkeypatch
):
    on_dev |= LOSING
    killed_in(calls, requests, config, tmp_path, "generate", 2, time=False)

    def diverges(name, request, *more, started=None):
        if name == "train" and request.out.parent.name == "02":
            raise TrainingDiverged("the loss is no number.")
        return calls.stage(name, request, *more, started=started)

    monkeypatch.setattr(pipeline.session, "run_stage", diverges)
    (found,) = calls.run(config, tmp_path, hours=2.0).rejections
    assert found.kept == "base"


def test_a_comparison_on_dev_that_takes_too_long_changes_no_choice(
    calls, on_dev, config, tmp_path, monkeypatch
):
    on_dev |= LOSING

    def slow(name, request, *more, started=None):
        if name == "evaluate" and request.name == "dev":
            raise OutOfTime("a stage took longer than there was time")
        return calls.stage(name, request, *more, started=started)

    monkeypatch.setattr(pipeline.session, "run_stage", slow)
    result = calls.run(config, tmp_path)
    assert (calls.begun[2], result.model.label) == ({"start"}, "round-01")
    assert any("round-01 with the starting model on dev" in e.what for e in result.omitted.items)
