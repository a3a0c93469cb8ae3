"""Claim: a training that is killed with SIGKILL at random steps comes to the same adapter.

    python benchmarks/train_killed.py                            # the seed model, five kills
    python benchmarks/train_killed.py --model HF_DIR --kills 10

The stage is killed when it has told of a random step, and called again, until it is through. Prints
one line of JSON: after which steps it was killed, where it went on, and the largest difference of a
weight to the adapter of an undisturbed training.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from localdistill.jsonl import JsonlWriter
from localdistill.stages.train import TrainRequest
from localdistill.types import Message, TrainingExample

SEED = Path(__file__).parents[1] / "models" / "seed"
# Tells each event as a line of JSON.
TRAIN = """
import os, sys
told = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
from localdistill.stages.train import TrainRequest, run
run(
    TrainRequest.model_validate_json(sys.argv[1]),
    lambda event: print(event.model_dump_json(), file=told, flush=True),
)
"""


def main() -> None:
    """Train undisturbed, train with kills, and compare."""
    args = _arguments()
    chance = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ask = _request(folder, args)
        _train(ask, None)
        killed = ask.model_copy(update={"out": folder / "killed"})
        kills: list[int] = []
        went_on: list[str] = []
        while True:
            # Enough for two checkpoints, so that it gets on.
            after = (
                chance.randint(2 * args.every + 1, 4 * args.every)
                if len(kills) < args.kills
                else None
            )
            step, notices = _train(killed, after)
            went_on += notices
            if step is None:
                break
            kills.append(step)
        result = {
            "kills": kills,
            "resumed": went_on,
            "largest_difference": _difference(ask.out, killed.out),
            "same_record": _record(ask.out) == _record(killed.out),
        }
    print(json.dumps(result))


def _request(folder: Path, args: argparse.Namespace) -> TrainRequest:
    data = folder / "selected.jsonl"
    with JsonlWriter(data) as writer:
        for n in range(args.examples):
            answer = (
                f"```python\ndef f(x):\n    y = x + {n}\n    return {'y + x - ' * (n % 9)}y\n```"
            )
            asked = [
                Message(role="user", content=f"Write a function that adds {n} to x."),
                Message(role="assistant", content=answer),
            ]
            writer.write(
                TrainingExample(messages=asked, problem_id=str(n), sample=0, strategy="none")
            )
    return TrainRequest(
        model=args.model, data=data, out=folder / "whole", seed=1, epochs=args.epochs,
        learning_rate=1e-3, checkpoint_every=args.every,
    )  # fmt: skip


def _train(ask: TrainRequest, kill_after: int | None) -> tuple[int | None, list[str]]:
    """At which step it was killed (None: it came to its end), and what it said of going on."""
    command = [sys.executable, "-c", TRAIN, ask.model_dump_json()]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    steps, notices = 0, []
    for line in process.stdout or ():
        event: dict[str, Any] = json.loads(line)
        if "resumed at step" in event.get("message", ""):
            notices.append(event["message"])
        steps += event["kind"] == "stage_progress"
        if steps == kill_after:
            process.kill()
    code = process.wait()
    assert code in (0, -9), f"training ended with exit code {code}"
    return (steps if code else None), notices


def _difference(one: Path, other: Path) -> float:
    from safetensors.numpy import load_file

    first, second = (load_file(path / "adapter_model.safetensors") for path in (one, other))
    assert first.keys() == second.keys()
    return max(float(abs(first[name] - second[name]).max()) for name in first)


def _record(folder: Path) -> Any:
    return json.loads((folder / "training.json").read_text())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, default=SEED, help="Hugging Face folder")
    parser.add_argument("--examples", type=int, default=80)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--every", type=int, default=2, help="steps between checkpoints")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
