"""Stage train: with a stand-in for the trainer, then with the real one on the seed model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from localdistill import trainers
from localdistill.errors import ConfigError, StageFailed
from localdistill.events import Notice, StageFinished, StageProgress, StageStarted
from localdistill.jsonl import JsonlWriter, is_done, marker
from localdistill.stages import train
from localdistill.stages.process import run_stage
from localdistill.stages.train import TrainRequest, TrainSummary
from localdistill.trainers import TrainResult
from tests.trainers.conftest import SEED, example

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
    """Writes an adapter that says how often it was called; ``fails`` in the middle of it."""

    def __init__(self) -> None:
        self.calls, self.fails = 0, False

    def train(self, settings, examples, folder, callback):
        self.calls += 1
        assert not list(folder.iterdir())
        (folder / "adapter_config.json").write_text("{}")
        if self.fails:
            raise StageFailed("train: killed")
        (folder / "adapter_model.safetensors").write_text(f"call {self.calls}")
        callback(StageProgress(stage="train", done=len(examples)))
        return RESULT


@pytest.fixture
def fake(monkeypatch) -> FakeTrainer:
    trainer = FakeTrainer()
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


def test_an_interrupted_training_is_done_again_from_its_start(fake, ask):
    fake.fails = True
    with pytest.raises(StageFailed):
        train.run(ask, lambda event: None)
    assert not ask.out.exists()
    fake.fails = False
    train.run(ask, lambda event: None)
    # Killed between the rename and the marker.
    marker(ask.out).unlink()
    train.run(ask, lambda event: None)
    assert (ask.out / "adapter_model.safetensors").read_text() == "call 3"
    assert is_done(ask.out)


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
    (ask.out / "photos").mkdir(parents=True)
    (ask.out / "adapter_config.json").write_text("{}")
    with pytest.raises(ConfigError, match="not an adapter of ours"):
        train.run(ask, lambda event: None)
    assert (ask.out / "photos").exists()
    assert fake.calls == 0


def test_no_examples_is_an_error_that_names_what_to_do(fake, ask):
    ask.data.write_text("")
    with pytest.raises(ConfigError, match=r"generate\.samples.*select\.strategy"):
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


# With the real trainer. Each starts a process, which takes about ten seconds.

ANSWERS = [
    f"```python\ndef add_{n}(x):\n    total = x + {n}\n    return total * {n % 3}\n```"
    for n in range(24)
]


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> TrainRequest:
    if not (SEED / "model.safetensors").exists():
        pytest.skip("the seed model is not in this checkout")
    folder = tmp_path_factory.mktemp("train")
    rows = [example(text, question=f"Add, number {n}.") for n, text in enumerate(ANSWERS)]
    long = example("word " * 400)
    data = write(folder / "selected.jsonl", *rows, long)
    return TrainRequest(
        model=SEED, data=data, out=folder / "adapter", seed=1, rank=8, epochs=2,
        learning_rate=2e-3, batch_size=8, max_length=128, threads=2,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(real):
    events = []
    summary = run_stage("train", real, events.append, real.out.with_name("train.log"))
    return TrainSummary.model_validate(summary), events


def factors(adapter: Path) -> dict:
    from safetensors.numpy import load_file

    return load_file(adapter / "adapter_model.safetensors")


@pytest.mark.real
def test_training_lowers_the_loss(trained):
    summary, _ = trained
    assert summary.examples == len(ANSWERS)
    assert summary.steps == 6
    assert summary.last_loss < 0.8 * summary.first_loss
    assert summary.tokens_per_second > 0
    assert summary.peak_memory_mb > 100


@pytest.mark.real
def test_the_adapter_is_peft_s_and_covers_all_linear_layers(real, trained):
    config = json.loads((real.out / "adapter_config.json").read_text())
    assert (config["peft_type"], config["r"], config["lora_alpha"]) == ("LORA", 8, 16)
    layers = json.loads((SEED / "config.json").read_text())["num_hidden_layers"]
    names = factors(real.out)
    assert len(names) == layers * 7 * 2
    assert all("lora_A" in name or "lora_B" in name for name in names)
    assert all(abs(value).max() > 0 for value in names.values())


@pytest.mark.real
def test_only_the_callback_reports_and_noise_goes_to_the_log(real, trained):
    _, events = trained
    assert {type(e) for e in events} == {StageStarted, Notice, StageProgress, StageFinished}
    notices = [event.message for event in events if isinstance(event, Notice)]
    assert notices == ["1 of 25 examples are longer than 128 tokens (train.max_length): left out."]
    # What was left out counts as dealt with, so that the progress ends at its total.
    assert events[0].total == 50
    done = [event.done for event in events if isinstance(event, StageProgress)]
    assert done == [10, 18, 26, 34, 42, 50]
    assert "Unsloth" in real.out.with_name("train.log").read_text()


def run_without_network(ask: TrainRequest) -> subprocess.CompletedProcess[str]:
    """Train where there is no network and the working directory takes no files."""
    code = (
        "import sys\nfrom localdistill.stages.train import TrainRequest, run\n"
        "run(TrainRequest.model_validate_json(sys.argv[1]), lambda event: None)"
    )
    command = [sys.executable, "-c", code, ask.model_dump_json()]
    if subprocess.run(["unshare", "-rn", "true"], check=False).returncode == 0:
        command = ["unshare", "-rn", *command]
    path = str(Path(train.__file__).parents[2])
    # /proc is a folder that takes no files from anybody, root included.
    return subprocess.run(
        command, cwd="/proc", env={**os.environ, "PYTHONPATH": path}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


@pytest.mark.real
def test_the_same_again_without_a_network_gives_the_same_adapter_to_the_bit(real, trained):
    again = with_(real, out=real.out.with_name("again"))
    done = run_without_network(again)
    assert done.returncode == 0, done.stderr
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (again.out / name).read_bytes() == (real.out / name).read_bytes()


@pytest.mark.real
def test_a_learning_rate_of_zero_gives_a_delta_of_exactly_zero(real):
    zero = with_(real, learning_rate=0, epochs=1, out=real.out.with_name("zero"))
    summary = run_stage("train", zero, lambda event: None, zero.out.with_name("zero.log"))
    assert summary["steps"] == 3
    for name, values in factors(zero.out).items():
        assert ("lora_B" in name) == (abs(values).max() == 0)


IN_4_BITS = """
import sys
from pathlib import Path
from localdistill.trainers.environment import for_unsloth
with for_unsloth():
    import unsloth
    import torch
    from bitsandbytes.nn import Linear4bit
    from localdistill.errors import ModelError
    from localdistill.trainers.base import TrainSettings
    from localdistill.trainers.batches import plan_epoch
    from localdistill.trainers.chat_tokens import TokenizedExample
    from localdistill.trainers.loop import Precision, fit
    from localdistill.trainers.unsloth_qlora import check_4bit, load_model

    folder = Path(sys.argv[1])
    settings = TrainSettings(model=folder, seed=1, learning_rate=0)
    model = load_model(settings, keep_activations=True)
    layers = [m for m in model.modules() if isinstance(m, Linear4bit)]
    assert len(layers) == 7 * model.config.num_hidden_layers, len(layers)
    for layer in layers:
        assert layer.weight.dtype == torch.uint8
        assert layer.weight.quant_state.quant_type == "nf4"
        assert layer.weight.numel() * 2 == layer.in_features * layer.out_features

    # The mean of a step is the same in one padded batch and one by one: padding weighs nothing.
    examples = [TokenizedExample([7 * n % 500 + 5 for n in range(k)], 3) for k in (9, 40, 21)]
    losses = []
    for rows in (3, 1):
        steps = plan_epoch(examples, step_size=3, max_rows=rows, max_tokens=999, seed=1, epoch=0)
        losses += fit(model, steps, settings, Precision(None), 0, lambda event: None).losses
    assert abs(losses[0] - losses[1]) < 0.01 * losses[1], losses

    plain = load_model(settings.model_copy(update={"load_in_4bit": False}), keep_activations=True)
    try:
        check_4bit(plain, folder)
        sys.exit("16-bit layers passed for 4-bit ones")
    except ModelError as error:
        assert "could not be loaded in 4 bits" in str(error)
"""


@pytest.mark.real
def test_the_base_is_really_held_in_4_bits(real):
    command = [sys.executable, "-c", IN_4_BITS, str(SEED)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
