"""Which two models of a run are asked, and how they are decoded."""

import pytest

from localdistill import trial
from localdistill.errors import ConfigError
from localdistill.events import Recorded, RunFinished
from localdistill.jsonl import JsonlWriter
from tests.report.making import Making


@pytest.fixture
def run(tmp_path):
    base = tmp_path / "base.gguf"
    base.write_bytes(b"old")
    making = Making(tmp_path / "run", model=str(base), evaluate={"temperature": 0.8})
    making.evaluated()
    (making.round / "model.gguf").write_bytes(b"new")
    return making


def test_the_starting_model_and_the_chosen_one(run):
    models = trial.models_of(run.path)
    assert models.old.gguf.read_bytes() == b"old"
    assert models.new.gguf.read_bytes() == b"new"
    assert models.new.name == "new model (round 1)"


def test_each_is_decoded_as_it_was_compared(run):
    assert trial.models_of(run.path).old.sampling.temperature == 0.8
    run.evaluated(baseline_decoding={"temperature": 0.2, "top_p": 0.9}, candidate_decoding=None)
    models = trial.models_of(run.path)
    assert (models.old.sampling.temperature, models.old.sampling.top_p) == (0.2, 0.9)
    assert (models.new.sampling.temperature, models.new.sampling.top_p) == (0.8, 1.0)
    greedy = trial.models_of(run.path, greedy=True)
    assert greedy.old.sampling.greedy
    assert greedy.new.sampling.greedy


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(ConfigError, match="holds no run"):
        trial.models_of(tmp_path)


def ended(run, **how):
    """The run's last call has come to this end."""
    end = RunFinished(outcome="finished", exit_code=0, run_dir=str(run.path), **how)
    with JsonlWriter(run.path / "events.jsonl") as file:
        file.write(Recorded(at=1.0, event=end))


def test_a_model_that_there_was_no_time_to_compare_can_be_asked(run):
    (run.path / "evaluation.json").unlink()
    model = run.path / "rounds" / "01" / "model.gguf"
    ended(run, verdict="not known", model=str(model))
    found = trial.models_of(run.path)
    assert found.new.gguf == model
    assert found.new.sampling == found.old.sampling == found.config.evaluate.sampling()


def test_a_run_that_ended_without_a_model_says_so(run):
    (run.path / "evaluation.json").unlink()
    ended(run, verdict="no new model", model="base.gguf")
    with pytest.raises(ConfigError, match="there was no time for a round"):
        trial.models_of(run.path)


def test_a_run_that_is_not_finished(run):
    (run.path / "evaluation.json").unlink()
    with pytest.raises(ConfigError, match="not finished"):
        trial.models_of(run.path)


def test_a_run_without_a_new_model_says_why(run):
    (run.path / "evaluation.json").unlink()
    run.rejected()
    with pytest.raises(ConfigError, match=r"no new model .*no round gave one; .*rejected"):
        trial.models_of(run.path)


def test_a_run_that_kept_its_model(run):
    path = run.path / "evaluation.json"
    path.write_text(path.read_text().replace("round-01", "base"))
    with pytest.raises(ConfigError, match="kept the model that it started from"):
        trial.models_of(run.path)


def test_a_model_that_has_gone(run):
    (run.round / "model.gguf").unlink()
    with pytest.raises(ConfigError, match=r"model\.gguf: is not there any more"):
        trial.models_of(run.path)


def test_a_problem_by_its_id(run):
    run.sets()
    assert trial.problem_of(run.path, "p3").prompt == "Write f(x) for p3."
    assert trial.problem_of(run.path, "train/1").tests is not None
    with pytest.raises(ConfigError, match="Did you mean p3"):
        trial.problem_of(run.path, "p33")
