"""Runs that end before their last round, that are continued with more, or that were killed."""

import json

import pytest

from localdistill import pipeline
from localdistill.errors import ConfigError, TrainingDiverged
from localdistill.jsonl import read_rows
from localdistill.pipeline.timekeeper import Timekeeper
from localdistill.result_text import result_text
from localdistill.types import Diversity, Opening
from tests.pipeline.helpers import labels, run

PLATEAU = {"base": 0.2, "round-01": 0.6, "round-02": 0.5, "round-03": 0.4, "round-04": 0.7}


def found(distinct, first, last=0.9):
    return Diversity(problems=9, distinct=distinct, pass_at_1=first, pass_at_k=last, k=8)


def stopped(tmp_path):
    path = tmp_path / "run" / "stopped.json"
    return json.loads(path.read_text()) if path.exists() else None


def sampled(requests):
    return [r.round for name, r in requests if name == "generate"]


def test_two_rounds_without_a_better_model_end_the_run(requests, on_dev, config, tmp_path):
    on_dev |= PLATEAU
    result = run(config, tmp_path, rounds=5)
    assert sampled(requests) == [1, 2, 3]
    assert result.model.label == "round-01"
    noted = stopped(tmp_path)
    assert noted["after_round"] == 3
    assert "round-02 50.0%, round-03 40.0%" in noted["reason"]
    assert "Stopped after round 3 of 5: 2 rounds in a row gave nothing better" in result_text(
        result
    )


@pytest.mark.parametrize(("patience", "made"), [(1, [1, 2]), (3, [1, 2, 3, 4]), (0, [1, 2, 3, 4])])
def test_stop_after_says_how_many(requests, on_dev, config, tmp_path, patience, made):
    on_dev |= PLATEAU
    run(config, tmp_path, rounds=4, stop_after=patience)
    assert sampled(requests) == made
    assert (stopped(tmp_path) is None) == (made == [1, 2, 3, 4])


def test_one_round_is_never_stopped(requests, on_dev, config, tmp_path):
    on_dev |= {"base": 0.9, "round-01": 0.1}
    assert run(config, tmp_path, stop_after=1).evaluation is not None
    assert stopped(tmp_path) is None


def test_samples_that_are_all_alike_end_the_run_before_they_are_trained_on(
    requests, diversities, config, tmp_path
):
    diversities |= {1: found(3.0, 0.5), 2: found(2.0, 0.4), 3: found(1.4, 0.5)}
    result = run(config, tmp_path, rounds=3)
    assert [r.out.parent.name for name, r in requests if name == "train"] == ["01", "02"]
    assert stopped(tmp_path)["after_round"] == 2
    assert "1.4 different right programs a problem" in stopped(tmp_path)["reason"]
    assert "Stopped after round 2 of 3" in result_text(result)


@pytest.mark.parametrize(
    ("second", "settings"),
    [
        (found(1.4, 0.6), {}),  # alike, but more often right
        (found(1.6, 0.4), {}),  # not half as many
        (found(1.4, 0.5), {"stop_after": 0}),
    ],
)
def test_other_losses_of_diversity_do_not(
    requests, diversities, config, tmp_path, second, settings
):
    diversities |= {1: found(3.0, 0.5), 2: second}
    run(config, tmp_path, rounds=2, **settings)
    assert stopped(tmp_path) is None
    assert sampled(requests) == [1, 2]


def test_eval_is_opened_once_however_often_the_result_is_shown(requests, config, tmp_path):
    first = run(config, tmp_path, rounds=3)
    again = run(config, tmp_path, rounds=3)
    assert again.evaluation == first.evaluation
    (opening,) = first.evaluation.openings
    assert (opening.candidate, opening.problems, opening.samples) == ("round-02", 1, 4)
    assert "has been opened" not in result_text(again)


def test_rounds_may_be_raised_and_the_second_opening_of_eval_is_told(
    requests, on_dev, config, tmp_path
):
    on_dev |= {"base": 0.2, "round-01": 0.3, "round-02": 0.6}
    run(config, tmp_path)
    requests.clear()
    result = run(config, tmp_path, rounds=2)
    assert labels(requests, "evaluate", "eval") == ["round-02"]
    assert [each.candidate for each in result.evaluation.openings] == ["round-01", "round-02"]
    assert read_rows(tmp_path / "run" / "openings.jsonl", Opening) == result.evaluation.openings
    assert "eval has been opened 2 times by this run (round-01, round-02)" in result_text(result)
    assert run(config, tmp_path, rounds=2).evaluation == result.evaluation
    with pytest.raises(ConfigError, match=r"rounds \(2 there, 1 here\)"):
        run(config, tmp_path)


def test_more_rounds_that_give_nothing_better_open_nothing(requests, on_dev, config, tmp_path):
    on_dev |= {"base": 0.2, "round-01": 0.6, "round-02": 0.5}
    run(config, tmp_path)
    assert len(run(config, tmp_path, rounds=2).evaluation.openings) == 1


def test_a_stopped_run_goes_on_where_patience_is_raised(requests, on_dev, config, tmp_path):
    on_dev |= PLATEAU
    run(config, tmp_path, rounds=4)
    assert stopped(tmp_path)["after_round"] == 3
    result = run(config, tmp_path, rounds=4, stop_after=0)
    assert result.model.label == "round-04"
    assert stopped(tmp_path) is None


class Killed(BaseException):
    """As if the process had been killed."""


@pytest.mark.parametrize("rejected", [False, True])
def test_killed_before_any_stage_a_run_comes_to_the_same_end(
    requests, on_dev, diversities, config, tmp_path, monkeypatch, rejected
):
    on_dev |= PLATEAU
    diversities |= {1: found(3.0, 0.5), 2: found(2.9, 0.5), 3: found(1.0, 0.4)}
    usual, calls, killed_at = pipeline.session.run_stage, [], [-1]

    def stage(name, request, *more, **how):
        calls.append(name)
        if len(calls) == killed_at[0]:
            raise Killed
        if rejected and name == "train" and request.out.parent.name == "01":
            raise TrainingDiverged("no.")
        return usual(name, request, *more, **how)

    monkeypatch.setattr(pipeline.session, "run_stage", stage)
    whole = run(config, tmp_path / "whole", rounds=4)
    told = stopped(tmp_path / "whole")
    for number in range(1, len(calls) + 1):
        folder = tmp_path / str(number)
        calls[:], killed_at[:] = [], [number]
        with pytest.raises(Killed):
            run(config, folder, rounds=4)
        killed_at[:] = [-1]
        again = run(config, folder, rounds=4)
        assert (again.model.label, again.remarks) == (whole.model.label, whole.remarks)
        assert len(again.evaluation.openings) == 1
        assert stopped(folder) == told


def test_a_stop_for_want_of_difference_is_remembered_when_time_is_over(
    requests, diversities, config, tmp_path, monkeypatch
):
    diversities |= {1: found(3.0, 0.5), 2: found(2.0, 0.4), 3: found(1.4, 0.5)}
    run(config, tmp_path, rounds=3, hours=5.0)
    reason = stopped(tmp_path)
    usual = Timekeeper.begins

    def begins(self, number, rounds, paths):  # there is no time for any more
        return number < 3 and usual(self, number, rounds, paths)

    monkeypatch.setattr(Timekeeper, "begins", begins)
    again = run(config, tmp_path, rounds=3, hours=5.0)
    assert stopped(tmp_path) == reason
    assert "Stopped after round 2 of 3" in result_text(again)
