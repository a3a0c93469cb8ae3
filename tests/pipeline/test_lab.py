"""Strategies side by side, and controls: what is handed to which stage, and what is kept."""

import json
import re
from pathlib import Path

import pytest

from localdistill import config as configuration
from localdistill import pipeline, rejection, result_text
from localdistill.errors import (
    ConfigError,
    ExportRejected,
    NothingSelected,
    TrainingDiverged,
    UserError,
)
from localdistill.events import Notice, StageStarted
from localdistill.jsonl import read_rows
from localdistill.markers import mark_done, write_whole
from localdistill.quantization.fingerprint import folder_fingerprint
from localdistill.run_dir import RoundDir
from localdistill.types import EvalResult, TrainingExample
from tests.pipeline.helpers import example, run, score

_DEV = {"arm-tests": 0.5, "arm-none": 0.7, "arm-confidence": 0.6}
# Each model is decoded as it does best.
_CONTROL = {"t1": 0.3, "t0.7": 0.3, "greedy": 0.5, "t0.6-p0.95": 0.4}
_BEST = {**_DEV, "base": 0.2, "round-01": 0.7, "control-references": _CONTROL}


@pytest.fixture
def lab(requests, monkeypatch, on_dev):
    """Stages that leave files, and evaluations that differ by the model's label."""
    usual = pipeline.session.run_stage
    on_dev.update(_BEST)

    def stage(name, request, *more, **how):
        found = None
        if name not in ("select", "budget", "train", "export", "evaluate"):
            found = usual(name, request, *more, **how)
        else:
            requests.append((name, request))
        if name == "select":
            write_whole(request.out, example(request.strategy), kept=1)
            return {"kept": 0 if request.strategy == "hybrid" else 1}
        if name == "budget":
            cuts = []
            for source in request.sources:
                empty = source.name == "hybrid"
                write_whole(source.out, "" if empty else source.data.read_text())
                cuts.append({"name": source.name, "examples": int(not empty), "tokens": 7})
            return {"tokens_each": 7, "cuts": cuts}
        if name == "train":
            more[0](StageStarted(stage="train", title="train", total=1))
            request.out.mkdir(parents=True, exist_ok=True)
            (request.out / "adapter_config.json").write_text("{}")
            mark_done(request.out)
        if name == "export":
            if "balanced" in str(request.out):
                raise ExportRejected("it talks nonsense.")
            request.merged.mkdir(parents=True, exist_ok=True)
            mark_done(request.merged)
            write_whole(request.out, str(request.data))
        if name == "evaluate":
            label = request.candidate.label
            gain = _DEV.get(label, 0.4)  # of a control
            return EvalResult(
                problem_set=request.name,
                candidate=score(label, gain),
                baseline=score("base", 0.0),
                gain=gain,
                gain_low=gain - 0.1,
                gain_high=gain + 0.1,
                verdict="better",
            ).model_dump()
        return found or {}

    monkeypatch.setattr(pipeline.session, "run_stage", stage)
    return requests


def named(requests, name):
    return [request for found, request in requests if found == name]


def test_strategies_share_completions_and_the_best_on_dev_goes_to_eval(lab, config, tmp_path):
    result = run(config, tmp_path, compare=["tests", "none", "confidence"])
    root = tmp_path / "run" / "rounds" / "01"
    assert [len(named(lab, name)) for name in ("generate", "verify", "budget")] == [1, 1, 1]
    assert [request.strategy for request in named(lab, "select")] == ["tests", "none", "confidence"]
    assert {request.completions for request in named(lab, "select")} == {root / "completions.jsonl"}
    assert [request.out for request in named(lab, "train")] == [
        root / "arms" / name / "adapter" for name in ("tests", "none", "confidence")
    ]
    assert {(r.seed, r.epochs, r.model) for r in named(lab, "train")} == {
        (1, 1, tmp_path / "run" / "start" / "master")
    }
    assert all(r.data == r.out.with_name("trained.jsonl") for r in named(lab, "train"))
    compared = [(request.name, request.candidate.label) for request in named(lab, "evaluate")]
    arms = [("dev", "arm-tests"), ("dev", "arm-none"), ("dev", "arm-confidence")]
    assert compared == [*arms, ("dev", "round-01"), ("eval", "round-01")]
    arm = root / "arms" / "none"
    assert named(lab, "evaluate")[-1].candidate.gguf == root / "model.gguf"
    assert (root / "model.gguf").read_text() == (arm / "model.gguf").read_text()
    assert (root / "adapter" / "adapter_config.json").is_file()
    written = json.loads((tmp_path / "run" / "comparison.json").read_text())
    assert {row["name"]: row["chosen"] for row in written["arms"]} == {
        "tests": False, "none": True, "confidence": False,
    }  # fmt: skip
    assert (written["problem_set"], written["tokens_each"]) == ("dev", 7)
    assert result.model.gguf == root / "model.gguf"
    text = result_text.result_text(result)
    assert "none *" in text
    assert "+70.0 (+60.0 to +80.0)" in text


def test_a_strategy_without_examples_or_model_is_left_out_and_told_of(lab, config, tmp_path):
    said = []
    built = configuration.build({**config, "compare": ["balanced", "hybrid", "tests"]})
    result = pipeline.run(built, tmp_path / "run", said.append)
    assert [arm.name for arm in result.comparison.arms] == ["tests"]
    assert [entry.name for entry in result.comparison.left_out] == ["hybrid", "balanced"]
    warnings = [event.message for event in said if isinstance(event, Notice)]
    assert any("balanced gives no model: it talks nonsense" in text for text in warnings)
    assert "hybrid: no model: it selects nothing" in result_text.result_text(result)


def test_where_no_strategy_gives_a_model_the_round_is_rejected(lab, config, tmp_path):
    result = run(config, tmp_path, compare=["balanced", "hybrid"])
    assert result.evaluation is None
    assert [entry.reason for entry in result.rejections] == ["it talks nonsense."]
    rejected = tmp_path / "run" / "rounds" / "01" / "rejected.json"
    first = json.loads(rejected.read_text())
    rejected.unlink()  # as after a kill before it was written
    del lab[:]
    assert run(config, tmp_path, compare=["balanced", "hybrid"]).rejections == result.rejections
    assert not named(lab, "train")
    assert json.loads(rejected.read_text()) == first


def test_what_is_named_to_try_a_rejected_lab_again_is_enough(lab, config, tmp_path, monkeypatch):
    said = []
    built = configuration.build({**config, "compare": ["balanced", "hybrid"]})
    pipeline.run(built, tmp_path / "run", said.append)
    (text,) = [e.message for e in said if isinstance(e, Notice) and "To try it again" in e.message]
    for path in re.findall(r"/\S+rejected\.json", text):
        Path(path).unlink()
    del lab[:]
    run(config, tmp_path, compare=["balanced", "hybrid"])
    assert named(lab, "train")


@pytest.mark.parametrize(
    "error", [TrainingDiverged("no number."), ExportRejected("nonsense."), NothingSelected("none.")]
)
def test_the_note_of_a_rejection_gives_its_error_back(tmp_path, error):
    paths = RoundDir(tmp_path)
    assert rejection.again(paths) is None
    rejection.note(paths, 1, error, "base")
    found = rejection.again(paths)
    assert type(found) is type(error) and str(found) == str(error)


def test_a_strategy_that_was_rejected_is_not_trained_again(lab, config, tmp_path):
    run(config, tmp_path, compare=["balanced", "tests"])
    (tmp_path / "run" / "comparison.json").unlink()  # as after a kill before it was written
    first = [request.out.parent.name for request in named(lab, "train")]
    assert first == ["balanced", "tests"]
    del lab[:]
    result = run(config, tmp_path, compare=["balanced", "tests"])
    assert "balanced" not in {request.out.parent.name for request in named(lab, "train")}
    assert [(arm.name, arm.reason) for arm in result.comparison.left_out] == [
        ("balanced", "it talks nonsense.")
    ]


def test_a_continued_lab_keeps_its_choice_and_trains_nothing_again(lab, config, tmp_path):
    run(config, tmp_path, compare=["tests", "none"])
    root = tmp_path / "run" / "rounds" / "01"
    (root / "model.gguf").unlink()  # as after a kill in the middle of it
    del lab[:]
    run(config, tmp_path, compare=["tests", "none"])
    trained = {"select", "budget", "train", "export"}
    assert not trained & {name for name, _ in lab}
    assert (root / "model.gguf").is_file()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"compare": ["tests"]}, "two strategies at least"),
        ({"compare": ["tests", "tests"]}, "names one twice"),
        ({"compare": ["tests", "none"], "rounds": 2}, "of one round"),
        ({"compare_tokens": 5}, "compare_tokens needs compare"),
        ({"controls": ["shuffled"], "hours": 1.0}, "leave out hours"),
        ({"compare": ["tests", "nome"]}, "Did you mean none"),
        ({"controls": ["references"]}, "none of the problems of .* has a reference"),
    ],
)
def test_what_cannot_be_compared_is_refused_at_once(requests, config, tmp_path, settings, said):
    with pytest.raises(ConfigError, match=said):
        run(config, tmp_path, **settings)
    assert not requests
    assert not (tmp_path / "run").exists()


def test_a_strategy_that_needs_tests_is_refused_where_there_are_none(requests, config, tmp_path):
    path = tmp_path / "train.jsonl"
    row = json.loads(path.read_text())
    del row["tests"]
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(UserError, match="no tests, which --select tests needs"):
        run(config, tmp_path, compare=["none", "tests"])
    assert not requests


def test_controls_are_made_after_the_verdict_and_change_nothing_of_it(lab, config, tmp_path):
    path = tmp_path / "train.jsonl"
    row = {**json.loads(path.read_text()), "id": "p", "reference": "def f(x):\n    return x"}
    path.write_text(json.dumps(row) + "\n")
    said = []
    built = configuration.build({**config, "controls": ["references", "shuffled"]})
    result = pipeline.run(built, tmp_path / "run", said.append)
    assert [name for name, _ in lab][-7:-1] == [
        "evaluate", "budget", "train", "export", "decoding", "evaluate",
    ]  # fmt: skip
    opened = (tmp_path / "run" / "openings.jsonl").read_text().splitlines()
    assert len(opened) == 1  # for the run's own model
    mine, control = named(lab, "evaluate")[-2:]
    assert (mine.candidate.sampling.greedy, control.candidate.sampling.greedy) == (False, True)
    assert control.baseline == mine.baseline
    folder = tmp_path / "run" / "controls" / "references"
    trained = named(lab, "train")[1]
    assert (trained.data, trained.model) == (
        folder / "trained.jsonl",
        tmp_path / "run" / "start" / "master",
    )
    assert trained.seed == named(lab, "train")[0].seed
    assert "return x" in (folder / "selected.jsonl").read_text()
    (found,) = result.evaluation.controls
    assert (found.name, found.gain) == ("references", 0.4)
    written = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert written["controls"][0]["name"] == "references"
    assert result.model.label == "round-01"
    # One example cannot be exchanged with another: that control is left out, and told of.
    assert any("no control shuffled" in getattr(event, "message", "") for event in said)
    text = result_text.result_text(result)
    assert "training on the reference solutions: +40.0 points" in text


def test_a_control_that_was_rejected_is_not_trained_again(lab, config, tmp_path, monkeypatch):
    usual, trained = pipeline.session.run_stage, []

    def stage(name, request, *more, **how):
        if name == "train" and "controls" in str(request.out):
            trained.append(request.out)
            raise TrainingDiverged("the loss is no number.")
        return usual(name, request, *more, **how)

    monkeypatch.setattr(pipeline.session, "run_stage", stage)
    row = json.loads((tmp_path / "train.jsonl").read_text())
    row |= {"id": "p", "reference": "def f(x):\n    return x"}
    (tmp_path / "train.jsonl").write_text(json.dumps(row) + "\n")
    for _ in range(2):
        said = []
        built = configuration.build({**config, "controls": ["references"]})
        result = pipeline.run(built, tmp_path / "run", said.append)
        assert result.evaluation.controls == []
        assert any("no control references: the loss" in getattr(e, "message", "") for e in said)
    assert len(trained) == 1


@pytest.fixture
def three_rounds(lab, on_dev, config, tmp_path, monkeypatch):
    """Calls of a run whose third round comes of the first; each selects an example of its own."""
    usual = pipeline.session.run_stage
    on_dev |= {"base": 0.2, "round-01": 0.6, "round-02": 0.3, "round-03": 0.8}
    on_dev["control-references-03"] = 0.4
    row = json.loads((tmp_path / "train.jsonl").read_text())
    row |= {"id": "p", "reference": "def f(x):\n    return x"}
    (tmp_path / "train.jsonl").write_text(json.dumps(row) + "\n")

    def stage(name, request, *more, **how):
        if name == "train" and request.out.parent.name == stage.diverges:
            raise TrainingDiverged("no.")
        found = usual(name, request, *more, **how)
        if name == "select":
            write_whole(request.out, example(f"of {request.out.parent.name}"), kept=1)
        if name == "export":
            (request.merged / "model.safetensors").write_text(str(request.out))
            mark_done(request.merged, master=folder_fingerprint(request.master))
        return found

    def call(diverges=None, **more):
        stage.diverges = diverges
        return run(config, tmp_path, rounds=3, controls=["references"], stop_after=0, **more)

    monkeypatch.setattr(pipeline.session, "run_stage", stage)
    return call


def trained_like(tmp_path):
    """The answers that a control's training is measured by."""
    rows = read_rows(tmp_path / "run" / "controls" / "selected.jsonl", TrainingExample)
    return [row.messages[-1].content for row in rows]


@pytest.mark.parametrize("diverges", [None, "02"])
def test_a_control_is_trained_on_as_much_as_the_runs_model_was(
    lab, three_rounds, tmp_path, diverges
):
    result = three_rounds(diverges)
    assert result.model.label == "round-03"
    assert [request.model.parent.name for request in named(lab, "train")][-2] == "01"
    assert trained_like(tmp_path) == ["of 01", "of 03"]
    folder = tmp_path / "run" / "controls" / "references-03"
    assert len(read_rows(folder / "selected.jsonl", TrainingExample)) == 2
    assert named(lab, "budget")[-1].like == tmp_path / "run" / "controls" / "selected.jsonl"


def test_where_each_round_trains_on_all_examples_so_does_a_control(lab, three_rounds, tmp_path):
    three_rounds(train={"start": "base"})
    assert trained_like(tmp_path) == ["of 01", "of 02", "of 03"]


@pytest.mark.parametrize("decode", ["same", "best"])
def test_a_control_is_decoded_as_the_runs_model_where_nothing_was_chosen(
    lab, config, tmp_path, decode
):
    path = tmp_path / "train.jsonl"
    row = {**json.loads(path.read_text()), "id": "p", "reference": "def f(x):\n    return x"}
    path.write_text(json.dumps(row) + "\n")
    run(config, tmp_path, controls=["references"], evaluate={"decode": decode, "temperature": 0.7})
    asked = [request.model.label for request in named(lab, "decoding")]
    assert ("control-references" in asked) == (decode == "best")
    mine, control = named(lab, "evaluate")[-2:]
    same = control.candidate.sampling == mine.candidate.sampling
    assert same == (decode == "same")


def test_the_best_strategy_is_held_against_each_other_one(lab, config, tmp_path):
    result = run(config, tmp_path, compare=["tests", "none"])
    behind = {arm.name: (arm.behind, arm.behind_low) for arm in result.comparison.arms}
    assert behind["none"] == (None, None)
    assert behind["tests"][0] == pytest.approx(0.2)
    assert "+20.0 (" in result_text.result_text(result)


def test_each_training_beside_the_rounds_own_is_told_by_its_name(lab, config, tmp_path):
    said = []
    built = configuration.build({**config, "compare": ["tests", "none"]})
    pipeline.run(built, tmp_path / "run", said.append)
    titles = [event.title for event in said if isinstance(event, StageStarted)]
    assert titles == ["train (arm-tests)", "train (arm-none)"]
    said.clear()
    pipeline.run(configuration.build(config), tmp_path / "plain", said.append)
    assert [event.title for event in said if isinstance(event, StageStarted)] == ["train"]
