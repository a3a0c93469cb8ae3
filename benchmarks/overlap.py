"""Claim: testing completions while others are drawn shortens generate + verify of a round.

    python benchmarks/overlap.py                  # a default round of the seed model
    python benchmarks/overlap.py --model M.gguf --problems mbpp:mbpp.jsonl#train --limit 32

Both ways draw the same samples with the same settings, in turn, from the start of the first process
to the end of the last, each in a folder of its own. Prints one line of JSON with medians in
seconds: one after the other, side by side, and the ratio of the two.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from localdistill.events import Event, StageFinished
from localdistill.sampling import Sampling
from localdistill.stages.generate import GenerateRequest
from localdistill.stages.process import run_stage
from localdistill.stages.side_by_side import generate_and_verify
from localdistill.stages.verify import VerifyRequest

SEED = Path(__file__).parents[1] / "models" / "seed"


def main() -> None:
    """Measure both ways in turn."""
    args = _arguments()
    times: dict[bool, list[float]] = {False: [], True: []}
    drawing: dict[bool, list[float]] = {False: [], True: []}
    passed = set()
    for number in range(args.repeats):
        # Each comes first as often as the other: a machine may get slower as it gets warm.
        for overlap in (False, True) if number % 2 == 0 else (True, False):
            with tempfile.TemporaryDirectory() as folder:
                seconds, drawn, count = _measure(Path(folder), args, overlap=overlap)
            times[overlap].append(seconds)
            drawing[overlap].append(drawn)
            passed.add(count)
            way = "side by side" if overlap else "in turn"
            print(f"{way}: {seconds:.1f} s, drawn after {drawn:.1f} s, {count} passed", flush=True)
    result = {
        "ratio": round(median(times[True]) / median(times[False]), 4),
        "in_turn_s": round(median(times[False]), 2),
        "side_by_side_s": round(median(times[True]), 2),
        "generate_alone_s": round(median(drawing[False]), 2),
        "generate_beside_verify_s": round(median(drawing[True]), 2),
        "passed": sorted(passed),
        "repeats": args.repeats,
    }
    print(json.dumps(result))


def _measure(folder: Path, args: argparse.Namespace, *, overlap: bool) -> tuple[float, float, int]:
    """Seconds in all, seconds until all was drawn, and how many passed."""
    cores = len(os.sched_getaffinity(0))
    generate = GenerateRequest(
        model=args.model,
        problems=args.problems,
        limit=args.limit,
        samples=args.samples,
        sampling=Sampling(max_tokens=args.max_tokens),
        out=folder / "completions.jsonl",
        slots=args.slots,
        threads=cores,
    )
    verify = VerifyRequest(
        problems=args.problems,
        limit=args.limit,
        completions=folder / "completions.jsonl",
        out=folder / "verdicts.jsonl",
        workers=cores,
        follow=overlap,
    )
    ends: dict[str, float] = {}

    def watch(event: Event, /) -> None:
        if isinstance(event, StageFinished):
            ends[event.stage] = time.monotonic()

    log = folder / "log.txt"
    began = time.monotonic()
    if overlap:
        _, tested = generate_and_verify(generate, verify, watch, log)
    else:
        run_stage("generate", generate, watch, log)
        tested = run_stage("verify", verify, watch, log)
    return time.monotonic() - began, ends["generate"] - began, tested["passed"]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, default=next(SEED.glob("*.gguf")))
    parser.add_argument("--problems", default=str(SEED / "problems" / "train.jsonl"))
    parser.add_argument("--limit", type=int)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=160)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
