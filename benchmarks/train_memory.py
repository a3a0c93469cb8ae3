"""Claim: the peak memory of training that `localdistill plan` predicts is within 20% of the truth.

    python benchmarks/train_memory.py --model models/seed --model FILE.gguf
    python benchmarks/train_memory.py --model FILE.gguf --lengths 512 --kept true

For each model and length of examples, the stage `train` trains one epoch on examples of that many
tokens, in a process of its own, with what `localdistill` chooses for the memory that is free
(`--tokens` and `--kept` set the micro-batch and what is kept). Its greatest resident memory is
compared with the plan's. Exact on a machine with other work as well. Prints a line for each, and
last one line of JSON; memory in MB.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from localdistill.config import parse_assignment
from localdistill.jsonl import JsonlWriter
from localdistill.quantization.start import resolve_start
from localdistill.stages.train_here import choose_here
from localdistill.stages.train_shape import trainable
from localdistill.stages.train_sizing import Wish
from localdistill.types import Message, TrainingExample

# Runs the stage as the command line's child does, and tells its peak (VmHWM of proc(5), kB).
STAGE = """
import sys
from localdistill.events import ignore
from localdistill.stages import train
train.run(train.TrainRequest.model_validate_json(sys.argv[1]), ignore)
print(open("/proc/self/status").read())
"""
# A word and its blank are a token of most vocabularies; what is longer than wanted is cut.
WORD = "value "


def main() -> None:
    """Measure and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, action="append", required=True)
    parser.add_argument("--lengths", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--examples", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--tokens", type=int, help="train.micro_batch_tokens")
    parser.add_argument("--kept", help="train.keep_activations: true, false or products")
    args = parser.parse_args()
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        for number, model in enumerate(args.model):
            master = resolve_start(model, Path(name) / str(number)).master
            for length in args.lengths:
                row = one(args, master, length, Path(name))
                found.setdefault(model.name, {})[str(length)] = row
                print(model.name, length, row, flush=True)
    ratios = [row["ratio"] for rows in found.values() for row in rows.values()]
    worst = max(ratios, key=lambda ratio: abs(ratio - 1))
    print(json.dumps({"worst_ratio": worst, "rank": args.rank, "models": found}))


def one(args: argparse.Namespace, master: Path, length: int, folder: Path) -> dict[str, Any]:
    """Planned and measured memory of examples of ``length`` tokens, MB, and their ratio."""
    kept = None if args.kept is None else parse_assignment(f"kept={args.kept}")[1]
    wish = Wish(args.rank, length, args.batch_size, args.tokens, kept)
    sizing = choose_here(trainable(master), wish)
    data = folder / "examples.jsonl"
    data.unlink(missing_ok=True)
    with JsonlWriter(data) as writer:
        writer.write(*examples(master, length, args.examples))
    with tempfile.TemporaryDirectory(dir=folder) as out:
        request = {
            "model": str(master), "data": str(data), "out": str(Path(out) / "adapter"), "seed": 1,
            "rank": args.rank, "max_length": length, "batch_size": args.batch_size,
            "micro_batch_tokens": sizing.task.tokens, "keep_activations": sizing.keep_activations,
            "held_out": 0,
        }  # fmt: skip
        command = [sys.executable, "-c", STAGE, json.dumps(request)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr[-3000:])
    peak = re.search(r"VmHWM:\s+(\d+) kB", done.stdout)
    assert peak is not None
    planned, measured = sizing.need.resident, int(peak[1]) * 1024
    return {
        "kept": sizing.task.kept,
        "together": sizing.task.together,
        "planned": round(planned / 1e6),
        "measured": round(measured / 1e6),
        "ratio": round(planned / measured, 3),
    }


def examples(master: Path, length: int, count: int) -> list[TrainingExample]:
    """``count`` examples, each of as nearly ``length`` tokens as words allow, and no more."""
    from localdistill.trainers.chat_tokens import ChatTokenizer

    tokenizer = ChatTokenizer(master)

    def example(words: int) -> TrainingExample:
        asked = Message(role="user", content="Go on.")
        said = Message(role="assistant", content=(WORD * words).strip())
        return TrainingExample(messages=[asked, said], problem_id="1", sample=0, strategy="none")

    def tokens(words: int) -> int:
        return len(tokenizer.example(example(words)).tokens)

    low, high = 1, length
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if tokens(middle) <= length else (low, middle - 1)
    return [example(low).model_copy(update={"problem_id": str(n)}) for n in range(count)]


if __name__ == "__main__":
    main()
