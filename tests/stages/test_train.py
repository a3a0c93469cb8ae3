"""Stage train, with a stand-in for the trainer: markers, leftovers and refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from localdistill import trainers
from localdistill.errors import ConfigError, NothingSelected, StageFailed, TrainingDiverged
from localdistill.events import StageFinished, StageProgress, StageStarted
from localdistill.jsonl import JsonlWriter
from localdistill.markers import is_done
from localdistill.stages import train
from localdistill.stages.train import TrainRequest, TrainSummary
from localdistill.trainers import TrainResult
from tests.trainers.conftest import example

RESULT = TrainResult(
    examples=2,
    trained_tokens=9,
    steps=1,
    first_loss=0.5,
    last_loss=0.4,
    tokens_per_second=10.0,
    peak_memory_mb=100.0,
)


class FakeTrainer:
    """Writes an adapter that says how often it was called; ``fails`` in the middle of it.

    Its checkpoint is the number of that call; ``found`` is what each call found.
    """

    def __init__(self) -> None:
        self.calls, self.fails = 0, None
        self.found, self.fingerprints = [], []

    def train(self, settings, examples, folder, callback, *, saved):
        self.calls += 1
        assert not list(folder.iterdir())
        (folder / "adapter_config.json").write_text("{}")
        checkpoint = saved.folder / "step-000000001.safetensors"
        self.found.append(checkpoint.read_text() if checkpoint.exists() else None)
        self.fingerprints.append(saved.fingerprint)
        saved.folder.mkdir(exist_ok=True)
        checkpoint.write_text(str(self.calls))
        if self.fails:
            raise self.fails
        (folder / "adapter_model.safetensors").write_text(f"call {self.calls}")
        callback(StageProgress(stage="train", done=len(examples)))
        return RESULT


@pytest.fixture
def fake(monkeypatch) -> FakeTrainer:
    trainer = FakeTrainer()
    monkeypatch.setattr(train, "check_model", lambda request: request)
    monkeypatch.setattr(trainers, "load", lambda name: trainer)
    return trainer


def write(path: Path, *rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with JsonlWriter(path) as writer:
        writer.write(*rows)
    return path


@pytest.fixture
def ask(tmp_path) -> TrainRequest:
    data = write(tmp_path / "selected.jsonl", example("a"), example("b"))
    return TrainRequest(model=tmp_path / "model", data=data, out=tmp_path / "adapter", seed=1)


def with_(ask: TrainRequest, **other) -> TrainRequest:
    return TrainRequest.model_validate({**ask.model_dump(), **other})


def test_the_adapter_appears_whole_with_its_marker(fake, ask):
    events = []
    summary = train.run(ask, events.append)
    assert summary == TrainSummary(**RESULT.model_dump())
    assert sorted(file.name for file in ask.out.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert is_done(ask.out)
    assert not ask.out.with_name("adapter.partial").exists()
    kinds = [type(event) for event in events]
    assert kinds == [StageStarted, StageProgress, StageFinished]
    assert events[0].total == 2


def test_a_finished_training_is_not_done_again(fake, ask):
    first = train.run(ask, lambda event: None)
    events = []
    assert train.run(ask, events.append) == first
    assert fake.calls == 1
    assert events[-1].skipped
    ask.data.unlink()
    assert train.run(ask, lambda event: None) == first


def test_an_interrupted_training_goes_on_from_its_checkpoint(fake, ask):
    fake.fails = StageFailed("train: killed")
    with pytest.raises(StageFailed):
        train.run(ask, lambda event: None)
    assert not ask.out.exists()
    assert not ask.out.with_name("adapter.partial").exists()
    fake.fails = None
    train.run(ask, lambda event: None)
    assert fake.found == [None, "1"]
    assert not ask.out.with_name("adapter.checkpoints").exists()
    # Killed between the marker and the rename.
    ask.out.rename(ask.out.with_name("adapter.partial"))
    train.run(ask, lambda event: None)
    assert (ask.out / "adapter_model.safetensors").read_text() == "call 3"
    assert is_done(ask.out)


def test_of_a_training_that_diverged_nothing_is_left(fake, ask):
    fake.fails = TrainingDiverged("train: diverged")
    with pytest.raises(TrainingDiverged):
        train.run(ask, lambda event: None)
    assert [path.name for path in ask.out.parent.iterdir()] == ["selected.jsonl"]


@pytest.mark.parametrize(
    ("name", "value", "same"),
    [
        ("rank", 8, False),
        ("seed", 2, False),
        ("held_out", 0.3, False),
        ("epochs", 2, False),
        ("micro_batch_tokens", 512, True),
        ("keep_activations", True, True),
        ("checkpoint_every", 5, True),
    ],
)
def test_a_checkpoint_is_bound_to_what_decides_the_adapter(fake, ask, name, value, same):
    fake.fails = StageFailed("train: killed")
    for request in (ask, with_(ask, **{name: value})):
        with pytest.raises(StageFailed):
            train.run(request, lambda event: None)
    assert (fake.fingerprints[0] == fake.fingerprints[1]) is same


def test_a_checkpoint_is_bound_to_the_data(fake, ask):
    fake.fails = StageFailed("train: killed")
    for text in ("a", "c"):
        write(ask.data, example(text))
        with pytest.raises(StageFailed):
            train.run(ask, lambda event: None)
    assert fake.fingerprints[0] != fake.fingerprints[1]


@pytest.mark.parametrize(("name", "value"), [("rank", 8), ("seed", 2), ("learning_rate", 0.5)])
def test_a_finished_adapter_of_other_settings_is_refused(fake, ask, name, value):
    train.run(ask, lambda event: None)
    with pytest.raises(ConfigError, match=f"trained with another {name}"):
        train.run(with_(ask, **{name: value}), lambda event: None)


def test_a_finished_adapter_of_other_data_is_refused(fake, ask):
    train.run(ask, lambda event: None)
    write(ask.data, example("c"))
    with pytest.raises(ConfigError, match="trained with another data"):
        train.run(ask, lambda event: None)


def test_nothing_of_somebody_elses_is_deleted(fake, ask):
    ask.out.mkdir()
    (ask.out / "adapter_config.json").write_text("{}")  # somebody's own adapter
    with pytest.raises(ConfigError, match="not made by this command"):
        train.run(ask, lambda event: None)
    assert (ask.out / "adapter_config.json").exists()
    assert fake.calls == 0


def test_no_examples_is_an_error_that_names_what_to_do(fake, ask):
    ask.data.write_text("")
    with pytest.raises(NothingSelected, match=r"generate\.samples.*select\.strategy"):
        train.run(ask, lambda event: None)
    assert not ask.out.exists()


def test_an_example_without_an_answer_at_its_end_is_an_error(fake, ask):
    row = example("a")
    write(ask.data, row.model_copy(update={"messages": row.messages[:1]}))
    with pytest.raises(ConfigError, match="example 3"):
        train.run(ask, lambda event: None)


def test_a_missing_file_is_an_error(fake, ask):
    with pytest.raises(ConfigError, match="does not exist"):
        train.run(with_(ask, data="none.jsonl"), lambda event: None)
