"""Which model a round begins with, which one is compared at the end, and how each is decoded."""

import json
from pathlib import Path

import pytest

from localdistill import config as configuration
from localdistill import pipeline
from localdistill.errors import ConfigError
from localdistill.events import Scored
from localdistill.result_text import result_text
from tests.pipeline.helpers import labels, run


def begun_with(requests):
    """The models that rounds sampled, and those that were trained, by the folder's name."""
    sampled = [r.model.parent.name for name, r in requests if name == "generate"]
    trained = [r.model.parent.name for name, r in requests if name == "train"]
    return sampled, trained


def test_a_round_that_does_worse_on_dev_is_not_gone_on_with(requests, on_dev, config, tmp_path):
    on_dev |= {"base": 0.2, "round-01": 0.6, "round-02": 0.5, "round-03": 0.7}
    result = run(config, tmp_path, rounds=3)
    assert begun_with(requests) == (["start", "01", "01"], ["start", "01", "01"])
    assert result.model.label == "round-03"
    assert labels(requests, "evaluate") == ["round-01", "round-02", "round-03"]
    assert labels(requests, "evaluate", "eval") == ["round-03"]


def test_of_two_that_do_equally_well_the_later_goes_on(requests, on_dev, config, tmp_path):
    on_dev |= {"base": 0.5, "round-01": 0.5, "round-02": 0.5}
    assert run(config, tmp_path, rounds=2).model.label == "round-02"
    assert begun_with(requests)[0] == ["start", "01"]


def test_with_base_a_round_that_lost_still_gives_its_examples(requests, on_dev, config, tmp_path):
    on_dev |= {"base": 0.2, "round-01": 0.6, "round-02": 0.5, "round-03": 0.4}
    run(config, tmp_path, rounds=3, train={"start": "base"}, stop_after=0)
    assert begun_with(requests) == (["start", "01", "01"], ["start"] * 3)


def test_where_no_round_is_better_the_best_is_compared_and_the_start_recommended(
    requests, on_dev, config, tmp_path
):
    on_dev |= {"base": 0.9, "round-01": 0.3, "round-02": 0.6, "round-03": 0.5}
    result = run(config, tmp_path, rounds=3, stop_after=0)
    assert begun_with(requests)[0] == ["start"] * 3
    assert result.model.label == "round-02"
    text = result_text(result)
    assert "no round's model is as good as the starting model (90.0%)" in text
    assert str(tmp_path / "run" / "start" / "start.gguf") in text


def test_each_model_is_compared_with_its_own_best_decoding(requests, on_dev, config, tmp_path):
    on_dev["base"] = {"t1": 0.2, "greedy": 0.6, "t0.6-p0.95": 0.5}
    on_dev["round-01"] = {"t1": 0.2, "greedy": 0.6, "t0.6-p0.95": 0.7}
    result = run(config, tmp_path, evaluate={"max_tokens": 99})
    tried = [r for name, r in requests if name == "decoding"]
    assert tried[0].decodings == tried[1].decodings  # equal budgets
    assert (tried[0].samples, tried[0].seed) == (tried[1].samples, tried[1].seed)
    assert {Path(r.problems).name for r in tried} == {"dev.jsonl"}
    for name, split in (("evaluate", "dev"), ("evaluate", "eval")):
        (compared,) = [r for n, r in requests if n == name and r.name == split]
        assert compared.baseline.sampling.greedy
        assert compared.baseline.samples == 1  # more would be the same text
        assert (compared.candidate.sampling.temperature, compared.candidate.samples) == (0.6, 4)
        assert compared.candidate.sampling.max_tokens == 99
    # On dev what was drawn for the choice is compared, on eval fresh samples.
    drawn = tmp_path / "run" / "scores"
    of_dev, of_eval = [r for name, r in requests if name == "evaluate"]
    assert of_dev.baseline.work_dir == drawn / "dev" / "base" / "greedy"
    assert of_eval.baseline.work_dir == drawn / "eval" / "base"
    assert of_dev.out == tmp_path / "run" / "rounds" / "01" / "evaluation.json"
    chosen = [(each.model, each.decoding["temperature"]) for each in of_eval.choices if each.chosen]
    assert chosen == [("base", 0.0), ("round-01", 0.6)]
    assert len(result.evaluation.choices) == 6


def test_with_the_same_decoding_for_both_dev_stays_unopened_in_one_round(
    requests, config, tmp_path
):
    run(config, tmp_path, evaluate={"decode": "same", "temperature": 0.7})
    assert labels(requests, "decoding") == labels(requests, "evaluate") == []
    (compared,) = [r for name, r in requests if name == "evaluate"]
    assert compared.candidate.sampling == compared.baseline.sampling
    assert (compared.candidate.sampling.temperature, compared.candidate.samples) == (0.7, 4)


def test_with_the_same_decoding_rounds_are_still_chosen_on_dev(requests, config, tmp_path):
    assert run(config, tmp_path, rounds=3, evaluate={"decode": "same"}).model.label == "round-02"
    assert {tuple(r.decodings) for name, r in requests if name == "decoding"} == {("t1",)}


def test_without_dev_problems_both_are_decoded_alike_which_is_said(requests, config, tmp_path):
    Path(config["dev_problems"]).write_text(json.dumps({"id": "d", "prompt": "no tests"}) + "\n")
    said = []
    pipeline.run(configuration.build(config), tmp_path / "run", said.append)
    assert labels(requests, "decoding") == []
    assert [e for e in said if "no dev problems to choose" in getattr(e, "message", "")]
    with pytest.raises(ConfigError, match="Choosing between rounds needs problems with tests"):
        run(config, tmp_path, rounds=2)


def test_scores_on_dev_and_eval_are_told(requests, config, tmp_path):
    said = []
    pipeline.run(configuration.build(config), tmp_path / "run", said.append)
    scored = [(e.problem_set, e.model, e.round, e.value) for e in said if isinstance(e, Scored)]
    assert scored == [
        ("dev", "base", 0, 0.2), ("dev", "round-01", 1, 0.3),
        ("eval", "base", 0, 0.2), ("eval", "round-01", 1, 0.5),
    ]  # fmt: skip
