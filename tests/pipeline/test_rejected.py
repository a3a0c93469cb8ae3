"""Rounds that give no model."""

import json

import pytest

from localdistill import cli, pipeline, rejection
from localdistill import config as configuration
from localdistill.continuing import freeze
from localdistill.errors import (
    ConfigError,
    ExportRejected,
    NothingSelected,
    StageFailed,
    TrainingDiverged,
)
from localdistill.events import Notice
from localdistill.result_text import result_text
from localdistill.run_dir import RunDir
from localdistill.types import (
    Rejection,
)
from tests.pipeline.helpers import run


@pytest.fixture
def rejecting(requests, monkeypatch):
    """The stages of ``requests``, of which those named (stage, round) end with an error."""
    inner, failures = pipeline.session.run_stage, {}

    def stage(name, request, callback, log, inherit=(), started=None):
        found = inner(name, request, callback, log, inherit)
        number = int(request.out.parent.name) if name in ("train", "export") else 0
        error = failures.get((name, number))
        if error is not None:
            request.out.parent.mkdir(parents=True, exist_ok=True)
            raise error
        return found

    monkeypatch.setattr(pipeline.session, "run_stage", stage)
    return failures


def test_a_rejected_round_leaves_the_model_before_it(requests, rejecting, config, tmp_path):
    rejecting["export", 2] = ExportRejected("the check 'answers' failed: it repeats itself.")
    notices = []
    built = configuration.build({**config, "rounds": 3})
    result = pipeline.run(built, tmp_path / "run", notices.append)
    rounds = tmp_path / "run" / "rounds"
    sampled = [r.model for name, r in requests if name == "generate"]
    trained = [r.model for name, r in requests if name == "train"]
    assert sampled[2] == sampled[1] == rounds / "01" / "model.gguf"
    assert trained[2] == trained[1] == rounds / "01" / "merged"
    # Dev chooses among the rounds that gave a model.
    assert [r.candidate.label for name, r in requests if name == "evaluate"] == [
        "round-01", "round-03", "round-03",
    ]  # fmt: skip
    noted = Rejection.model_validate_json((rounds / "02" / "rejected.json").read_text())
    assert (noted.round, noted.stage, noted.kept) == (2, "export", "round-01")
    assert "it repeats itself" in noted.reason
    (said,) = [e.message for e in notices if isinstance(e, Notice) and "no new model" in e.message]
    assert "round-01 is kept" in said
    assert "No model of round 2: the check 'answers' failed" in result_text(result)


def test_a_rejected_round_is_not_done_again(requests, rejecting, config, tmp_path):
    rejecting["train", 1] = TrainingDiverged("the loss is no number.")
    first = run(config, tmp_path, rounds=2)
    rejecting.clear()
    requests.clear()
    again = run(config, tmp_path, rounds=2)
    assert again.rejections == first.rejections
    assert [r.round for name, r in requests if name == "generate"] == [2]
    # What was found of it stays with the round.
    note = json.loads((tmp_path / "run" / "rounds" / "01" / "rejected.json").read_text())
    assert (note["stage"], note["reason"]) == ("train", "the loss is no number.")
    (tmp_path / "run" / "rounds" / "01" / "rejected.json").unlink()
    requests.clear()
    assert run(config, tmp_path, rounds=2).rejections == ()
    assert [r.round for name, r in requests if name == "generate"] == [1, 2]


def test_a_damaged_note_of_a_rejection_is_one_line(requests, config, tmp_path):
    note = RunDir(tmp_path / "run").round(1).rejected
    note.parent.mkdir(parents=True)
    run_dir = RunDir(tmp_path / "run")
    run_dir.config.write_text(freeze(configuration.build(config)).to_toml())
    note.write_text("{}")
    with pytest.raises(ConfigError, match=r"rejected\.json: is damaged\. Delete it"):
        run(config, tmp_path)


def test_a_first_round_that_is_rejected_leaves_the_wanted_type_to_the_next(
    requests, rejecting, config, tmp_path
):
    rejecting["export", 1] = ExportRejected("no.")
    run(config, tmp_path, rounds=3, export={"quant": "Q8_0"})
    assert [r.quant for name, r in requests if name == "export"] == ["Q8_0", "Q8_0", "same"]


def test_without_any_new_model_the_eval_set_stays_closed(requests, rejecting, config, tmp_path):
    rejecting["export", 1] = ExportRejected("the check 'base' failed: another model.")
    result = run(config, tmp_path)
    assert "evaluate" not in [name for name, _ in requests]
    assert (result.evaluation, result.model.label) == (None, "base")
    text = result_text(result)
    assert "Verdict: no new model" in text
    assert "the check 'base' failed: another model." in text


def test_other_failures_end_the_run(requests, rejecting, config, tmp_path):
    rejecting["train", 1] = StageFailed("its process ended")
    with pytest.raises(StageFailed):
        run(config, tmp_path)
    assert not (tmp_path / "run" / "rounds" / "01" / "rejected.json").exists()


@pytest.mark.parametrize("progress", ["plain", "json"])
def test_the_command_ends_with_1_without_a_new_model(
    requests, rejecting, config, tmp_path, capsys, progress
):
    rejecting["export", 1] = ExportRejected("no.")
    names = {"problems": "--problems", "dev_problems": "--dev-problems"}
    names["eval_problems"] = "--eval-problems"
    files = [part for name, option in names.items() for part in (option, config[name])]
    command = ["run", "--model", "m.gguf", *files, "--run-dir", str(tmp_path / "run")]
    with pytest.raises(SystemExit) as ended:
        cli.main([*command, "--progress", progress])
    assert ended.value.code == 1
    out = capsys.readouterr().out
    if progress == "json":
        assert json.loads(out.splitlines()[-1])["verdict"] == "no new model"
    else:
        assert "Verdict: no new model" in out


def test_a_round_that_selects_nothing_does_not_end_the_run(requests, rejecting, config, tmp_path):
    rejecting["train", 2] = NothingSelected("selected.jsonl is empty. Draw more samples.")
    built = configuration.build({**config, "rounds": 2})
    said = []
    result = pipeline.run(built, tmp_path / "run", said.append)
    assert result.model.label == "round-01"
    noted = Rejection.model_validate_json(
        (tmp_path / "run" / "rounds" / "02" / "rejected.json").read_text()
    )
    assert noted.stage == "select"
    (told,) = [e.message for e in said if isinstance(e, Notice) and "no new model" in e.message]
    assert "give another --run-dir" in told and "delete" not in told


def test_what_cannot_be_tried_again_is_not_advised(config, tmp_path):
    run_dir = RunDir(tmp_path / "run")
    paths = run_dir.round(2)
    paths.path.mkdir(parents=True)
    found = rejection.note(paths, 2, TrainingDiverged("The loss rose."), "round-01")
    assert "delete" in rejection.told(found, paths)
    told = rejection.told(found, paths, startable=False)
    assert "delete" not in told and "has been removed" in told
