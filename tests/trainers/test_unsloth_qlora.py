"""The real trainer on the seed model. Each training starts a process, about ten seconds of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from localdistill.events import Notice, StageFinished, StageProgress, StageStarted
from localdistill.jsonl import JsonlWriter
from localdistill.quantization.hf_folder import read_folder
from localdistill.quantization.merge import merge
from localdistill.stages import train
from localdistill.stages.process import run_stage
from localdistill.stages.train import TrainRequest, TrainSummary
from tests.trainers.conftest import SEED, example

pytestmark = pytest.mark.real

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
    rows = [row.model_copy(update={"problem_id": str(n)}) for n, row in enumerate(rows)]
    long = example("word " * 400)
    data = folder / "selected.jsonl"
    with JsonlWriter(data) as writer:
        writer.write(*rows, long)
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


def test_training_lowers_the_loss(trained):
    summary, _ = trained
    assert summary.examples == len(ANSWERS) - 2  # a tenth of 24 problems is held out
    assert summary.steps == 6
    assert summary.last_loss < 0.8 * summary.first_loss
    assert summary.held_out_after < 0.8 * summary.held_out_before
    assert summary.tokens_per_second > 0
    assert summary.peak_memory_mb > 100


def test_the_adapter_is_peft_s_and_covers_all_linear_layers(real, trained):
    files = sorted(file.name for file in real.out.iterdir())
    assert files == [
        "adapter_config.json", "adapter_model.safetensors", "held_out.jsonl", "training.json",
    ]  # fmt: skip
    config = json.loads((real.out / "adapter_config.json").read_text())
    assert (config["peft_type"], config["r"], config["lora_alpha"]) == ("LORA", 8, 16)
    layers = json.loads((SEED / "config.json").read_text())["num_hidden_layers"]
    names = factors(real.out)
    assert len(names) == layers * 7 * 2
    assert all("lora_A" in name or "lora_B" in name for name in names)
    assert all(abs(value).max() > 0 for value in names.values())


def test_only_the_callback_reports_and_noise_goes_to_the_log(real, trained):
    _, events = trained
    assert {type(e) for e in events} == {StageStarted, Notice, StageProgress, StageFinished}
    notices = [event.message for event in events if isinstance(event, Notice)]
    left_out, held_out = notices
    assert left_out == "1 of 25 examples are longer than 128 tokens (train.max_length): left out."
    assert held_out.startswith("2 of 24 problems (")
    # What was left out counts as dealt with, so that the progress ends at its total.
    assert events[0].total == 50
    done = [event.done for event in events if isinstance(event, StageProgress)]
    assert done[-1] == 50
    assert done == sorted(done)
    assert len(done) == 6
    assert "Unsloth" in real.out.with_name("train.log").read_text()


def test_what_was_held_out_is_told_beside_the_adapter(real, trained):
    summary, _ = trained
    rows = [json.loads(line) for line in (real.out / "held_out.jsonl").read_text().splitlines()]
    record = json.loads((real.out / "training.json").read_text())
    held_out = record["held_out"]
    assert (held_out["examples"], held_out["problems"]) == (len(rows), 2)
    assert held_out["positions"] == sum(len(row["tokens"]) - row["prompt_length"] for row in rows)
    assert held_out["before"] == summary.held_out_before
    assert held_out["after"] == summary.held_out_after
    assert [point["step"] for point in record["curve"]] == [1, 2, 3, 4, 5, 6]
    assert record["curve"][-1]["held_out_loss"] >= held_out["after"]
    assert (record["steps"], record["stopped_early"]) == (6, False)


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


def test_the_same_again_without_a_network_gives_the_same_adapter_to_the_bit(real, trained):
    again = real.model_copy(update={"out": real.out.with_name("again")})
    done = run_without_network(again)
    assert done.returncode == 0, done.stderr
    for name in (file.name for file in real.out.iterdir()):
        assert (again.out / name).read_bytes() == (real.out / name).read_bytes()


def test_a_learning_rate_of_zero_gives_a_delta_of_exactly_zero(real):
    zero = real.model_copy(
        update={"learning_rate": 0.0, "epochs": 1, "out": real.out.with_name("zero")}
    )
    summary = run_stage("train", zero, lambda event: None, zero.out.with_name("zero.log"))
    assert summary["steps"] == 3
    for name, values in factors(zero.out).items():
        assert ("lora_B" in name) == (abs(values).max() == 0)


def test_a_merged_folder_of_both_16_bit_types_is_trained_as_what_it_is(real, trained):
    merged = real.out.with_name("merged")
    merge(SEED, real.out, merged, {})
    assert {tensor.dtype for tensor in read_folder(merged).tensors.values()} == {"BF16", "F16"}
    again = real.model_copy(
        update={
            "model": merged,
            "learning_rate": 0.0,
            "epochs": 1,
            "out": real.out.with_name("next"),
        }
    )
    found = run_stage("train", again, lambda event: None, real.out.with_name("next.log"))
    before, _ = trained
    # It begins where the adapter has come to, but for the 4 bits of other numbers.
    won = before.held_out_before - before.held_out_after
    assert before.held_out_before - found["held_out_before"] > 0.8 * won


IN_4_BITS = """
import sys
from pathlib import Path
from localdistill.trainers.environment import for_unsloth
with for_unsloth(Path(sys.argv[2])):
    import unsloth
    import torch
    from bitsandbytes.nn import Linear4bit
    from localdistill.errors import ModelError
    from localdistill.trainers.base import TrainSettings
    from localdistill.trainers.batches import plan_epoch
    from localdistill.trainers.chat_tokens import TokenizedExample
    from localdistill.trainers.dev_loss import mean_loss
    from localdistill.trainers.loop import Precision, Work, fit, tell_scale
    from localdistill.trainers.unsloth_qlora import check_4bit, load_model

    folder = Path(sys.argv[1])
    settings = TrainSettings(model=folder, seed=1, learning_rate=0)
    model = load_model(settings)
    layers = [m for m in model.modules() if isinstance(m, Linear4bit)]
    assert len(layers) == 7 * model.config.num_hidden_layers, len(layers)
    for layer in layers:
        assert layer.weight.dtype == torch.uint8
        assert layer.weight.quant_state.quant_type == "nf4"
        assert layer.weight.numel() * 2 == layer.in_features * layer.out_features

    # The mean of a step is the same in one padded batch and one by one: padding weighs nothing.
    examples = [TokenizedExample([7 * n % 500 + 5 for n in range(k)], 3) for k in (9, 40, 21)]
    losses = []
    for tokens in (999, 1):
        steps = plan_epoch(examples, step_size=3, seed=1, epoch=0)
        work = Work(steps, pad_token=0, micro_batch_tokens=tokens)
        losses += fit(model, work, settings, Precision(None), lambda event: None).state.losses
        # So is what is measured without gradients, with the adapter (its delta is zero) or not.
        losses.append(mean_loss(model, examples, None, 0, tokens))
        with model.disable_adapter():
            losses.append(mean_loss(model, examples, None, 0, tokens))
    assert max(losses) - min(losses) < 0.01 * min(losses), losses

    # What is kept for the way back and what is computed again makes no difference to the bit.
    tokens = torch.arange(5, 165).reshape(2, 80)
    found = []
    for kept in ("all", "products", "none"):
        other = load_model(settings, kept)
        asked = {"input_ids": tokens, "labels": tokens, "num_items_in_batch": torch.tensor(158)}
        loss = other(**asked, use_cache=False).loss
        loss.backward()
        gradients = [weight.grad for weight in other.parameters() if weight.grad is not None]
        found.append(torch.cat([loss.detach().reshape(1), *(g.flatten() for g in gradients)]))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
    assert found[0][1:].abs().max() > 0

    plain = load_model(settings.model_copy(update={"load_in_4bit": False}))
    try:
        check_4bit(plain, folder)
        sys.exit("16-bit layers passed for 4-bit ones")
    except ModelError as error:
        assert "could not be loaded in 4 bits" in str(error)

    # The module whose loss asks for the scale of gradients is among those that are told of it.
    scaler = torch.amp.GradScaler("cpu")
    tell_scale(plain, scaler)
    assert type(plain.get_base_model()).__name__.endswith("ForCausalLM")
    assert plain.get_base_model().accelerator_scaler is scaler
"""


def test_the_base_is_really_held_in_4_bits(real, tmp_path):
    command = [sys.executable, "-c", IN_4_BITS, str(SEED), str(tmp_path / "code")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
