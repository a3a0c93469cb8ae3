"""``kill -9`` in the middle of real trainings: the same adapter comes out."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localdistill.jsonl import JsonlWriter
from localdistill.stages.train import TrainRequest
from tests.trainers.conftest import SEED, example

pytestmark = pytest.mark.real

# Tells each event as a line of JSON.
TRAIN = """
import sys
from localdistill.stages.train import TrainRequest, run
run(
    TrainRequest.model_validate_json(sys.argv[1]),
    lambda event: print(event.model_dump_json(), file=sys.__stderr__, flush=True),
)
"""
STEPS = 18


@pytest.fixture(scope="module")
def ask(tmp_path_factory) -> TrainRequest:
    folder = tmp_path_factory.mktemp("resume")
    data = folder / "selected.jsonl"
    with JsonlWriter(data) as writer:
        for n in range(26):
            row = example(f"def f(x):\n    return x + {n}", question=f"Add {n}.")
            writer.write(row.model_copy(update={"problem_id": str(n)}))
    return TrainRequest(
        model=SEED, data=data, out=folder / "whole", seed=1, rank=8, epochs=6, learning_rate=3e-3,
        batch_size=8, weight_decay=0.01, checkpoint_every=2, threads=2,
    )  # fmt: skip


def train(ask: TrainRequest, kill_after: int | None = None) -> list[dict]:
    """Train in a process; kill it when it has told of step ``kill_after``. Returns its events."""
    command = [sys.executable, "-c", TRAIN, ask.model_dump_json()]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    events, other = [], []
    steps = 0
    for line in process.stderr:
        if not line.startswith('{"kind"'):
            other.append(line)
            continue
        events.append(json.loads(line))
        steps += events[-1]["kind"] == "stage_progress"
        if kill_after is not None and steps == kill_after:
            process.kill()
    code = process.wait()
    assert code == (0 if kill_after is None else -signal.SIGKILL), "".join(other[-20:])
    return events


def test_killed_at_random_steps_it_comes_to_the_same_adapter(ask):
    import numpy as np
    from safetensors.numpy import load_file

    train(ask)
    killed = ask.model_copy(update={"out": ask.out.with_name("killed")})
    chance = random.Random(3)
    told = []
    for _ in range(3):
        told.append(train(killed, kill_after=chance.randint(3, 5)))
        assert not killed.out.exists()
    told.append(train(killed))
    resumed = [
        event["message"]
        for events in told
        for event in events
        if event["kind"] == "notice" and "resumed at step" in event["message"]
    ]
    assert len(resumed) == 3, resumed
    wanted, found = (load_file(out.out / "adapter_model.safetensors") for out in (ask, killed))
    assert wanted.keys() == found.keys()
    for name in wanted:
        np.testing.assert_allclose(found[name], wanted[name], rtol=0, atol=1e-5)
    one, other = (json.loads((out.out / "training.json").read_text()) for out in (ask, killed))
    assert len(one["curve"]) == STEPS
    for point, same in zip(one["curve"], other["curve"], strict=True):
        assert same == pytest.approx(point, rel=1e-5)
    assert not killed.out.with_name("killed.checkpoints").exists()
