"""Claim: the memory that generation takes is below what `localdistill plan` says, by 15% at most.

    python benchmarks/generate_memory.py --model FILE.gguf --problems mbpp:mbpp.jsonl#test

For 1, 8 and 32 slots the stage `generate` draws twice as many completions as it has slots, in a
process of its own, whose greatest resident memory is compared with the plan's. The plan is made for
these prompts and `--max-tokens`. Prints one line of JSON; memory in MB.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from localdistill.cores import usable_cores
from localdistill.problems import load
from localdistill.quantization.gguf_file import read_header
from localdistill.stages.sizing import Task, longest_prompt
from localdistill.stages.this_machine import choose_here

# Runs the stage as the command line's child does, and tells its peak (VmHWM of proc(5), kB).
STAGE = """
import sys
from localdistill.events import ignore
from localdistill.stages import generate
generate.run(generate.GenerateRequest.model_validate_json(sys.argv[1]), ignore)
print(open("/proc/self/status").read())
"""


def main() -> None:
    """Measure and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--problems", required=True, help="[FORMAT:]FILE[#PART]")
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--max-tokens", type=int, default=160)
    parser.add_argument("--weights", choices=("auto", "stored", "f16"), default="auto")
    args = parser.parse_args()
    found = {str(slots): one(args, slots) for slots in args.slots}
    print(json.dumps({"model": args.model.name, "max_tokens": args.max_tokens, **found}))


def one(args: argparse.Namespace, slots: int) -> dict[str, float]:
    """Planned and measured memory with ``slots``, MB, and their ratio."""
    problems = load(args.problems, 2).problems
    threads, requests = usable_cores(), len(problems) * slots
    prompt = longest_prompt(problems)
    task = Task(
        args.max_tokens, prompt, slots, requests=requests, samples=slots, threads=threads,
        weights=args.weights,
    )  # fmt: skip
    planned = choose_here(read_header(args.model), task).taken
    with tempfile.TemporaryDirectory() as folder:
        request = {
            "model": str(args.model), "problems": args.problems, "limit": 2, "samples": slots,
            "sampling": {"max_tokens": args.max_tokens}, "slots": slots,
            "threads": threads, "weights": args.weights,
            "out": str(Path(folder) / "completions.jsonl"),
        }  # fmt: skip
        command = [sys.executable, "-c", STAGE, json.dumps(request)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    peak = re.search(r"VmHWM:\s+(\d+) kB", told)
    assert peak is not None
    measured = int(peak[1]) * 1024
    return {
        "planned": round(planned / 1e6, 1),
        "measured": round(measured / 1e6, 1),
        "ratio": round(planned / measured, 3),
    }


if __name__ == "__main__":
    main()
