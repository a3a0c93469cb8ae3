"""Claim: training takes half the time of Unsloth with ``SFTTrainer``, in no more memory.

    python benchmarks/train_throughput.py --model M.gguf --data selected.jsonl
    python benchmarks/train_throughput.py --model HF_DIR --problems mbpp:mbpp.jsonl#train

The same examples, one epoch, the same steps of eight examples, each way in a process of its own, in
turn, and back in the reverse order: the peer as documented, the peer at its best, and ours
(``train_peers.py`` says what that is). ``--data`` is a file of selected examples; without one, the
reference solutions of ``--problems`` stand for answers. Prints for each way the tokens a second
(prompt and answer, padding not counted, loading not included), the peak resident memory of its
process and the loss of its adapter on the examples; last one line of JSON: how many times as fast
ours is, and our peak memory over that of the peer's best.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from localdistill.jsonl import JsonlWriter, read_rows
from localdistill.problems import load
from localdistill.problems.prompt import messages
from localdistill.quantization.start import resolve_start
from localdistill.types import Message, TrainingExample

WORKER = Path(__file__).with_name("train_peers.py")
WAYS = ("documented", "best", "best-small", "ours")


def main() -> None:
    """Train each way in turn and compare."""
    args = _arguments()
    with tempfile.TemporaryDirectory(dir=args.work) as name:
        folder = Path(name)
        model = resolve_start(args.model, folder / "start").master
        data = folder / "examples.jsonl"
        with JsonlWriter(data) as writer:
            writer.write(*_examples(args))
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        tokens = _count(model, data)
        for number in range(args.repeats):
            # There and back: a machine may get slower as it gets warm.
            for way in args.ways if number % 2 == 0 else args.ways[::-1]:
                out = folder / f"{way}-{number}"
                result = _run(way, model, data, out)
                if number == 0:
                    result |= _run("score", model, data, out)
                found[way].append(result)
                print(_line(way, result, tokens), flush=True)
    print(json.dumps(_compare(found, tokens)))


def _examples(args: argparse.Namespace) -> list[TrainingExample]:
    if args.data:
        return read_rows(args.data, TrainingExample)[: args.examples]
    rows = []
    for problem in load(args.problems).problems:
        if problem.reference and len(rows) < args.examples:
            answer = f"```python\n{problem.reference.strip()}\n```"
            asked = [*messages(problem), Message(role="assistant", content=answer)]
            rows.append(
                TrainingExample(messages=asked, problem_id=problem.id, sample=0, strategy="none")
            )
    return rows


def _run(way: str, model: Path, data: Path, out: Path) -> dict[str, Any]:
    command = [sys.executable, str(WORKER), way, str(model), str(data), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{way} ended with exit code {done.returncode}:\n{done.stderr[-3000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _count(model: Path, data: Path) -> int:
    from localdistill.trainers.chat_tokens import ChatTokenizer

    tokenizer = ChatTokenizer(model)
    return sum(len(tokenizer.example(row).tokens) for row in read_rows(data, TrainingExample))


def _line(way: str, result: dict[str, Any], tokens: int) -> str:
    losses = ", ".join(f"{loss:.3f}" for loss in result["losses"])
    text = f"{way}: {tokens / result['seconds']:.1f} tokens/s, {result['peak_mb']} MB at the peak"
    if "after" in result:
        text += f", loss {result['before']:.4f} before and {result['after']:.4f} after"
    return f"{text}; of the steps: {losses}"


def _compare(found: dict[str, list[dict[str, Any]]], tokens: int) -> dict[str, Any]:
    speed = {way: tokens / median(r["seconds"] for r in runs) for way, runs in found.items()}
    peak = {way: median(r["peak_mb"] for r in runs) for way, runs in found.items()}
    peers = [way for way in speed if way.startswith("best")]
    compared: dict[str, Any] = {
        "tokens": tokens,
        "tokens_per_second": {way: round(value, 1) for way, value in speed.items()},
        "peak_mb": peak,
        "loss": {way: runs[0]["after"] for way, runs in found.items()},
    }
    if "ours" in speed and "documented" in speed and peers:
        best = max(peers, key=lambda way: speed[way])
        compared |= {
            "vs_documented": round(speed["ours"] / speed["documented"], 3),
            "vs_best": round(speed["ours"] / speed[best], 3),
            "peak_memory_ratio": round(peak["ours"] / peak[best], 3),
        }
    return compared


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--model", type=Path, required=True, help="GGUF file or Hugging Face folder"
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="selected examples")
    source.add_argument("--problems", help="a problem set with reference solutions")
    parser.add_argument("--examples", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--work", type=Path, help="where scratch files go")
    return parser.parse_args()


if __name__ == "__main__":
    main()
