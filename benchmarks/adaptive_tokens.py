"""Claim: adaptive sampling needs at most half of the tokens that fixed sampling takes an example.

    python benchmarks/adaptive_tokens.py --model M.gguf --problems mbpp:mbpp.jsonl#train --limit 100

Draws both ways with the same model, settings and seeds, tests, and selects by tests, all by the
stages that a round runs. Prints one line of JSON: tokens a selected example for both, their ratio,
and what is left of the examples and of the problems that have any. With --folder an interrupted
benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from localdistill.display import open_display
from localdistill.jsonl import stopped_record
from localdistill.sampling import Sampling
from localdistill.stages.generate import GenerateRequest
from localdistill.stages.process import run_stage
from localdistill.stages.select import SelectRequest
from localdistill.stages.side_by_side import generate_and_verify
from localdistill.stages.verify import VerifyRequest


def main() -> None:
    """Draw, test and select both ways."""
    args = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (args.folder or Path(temporary)).resolve()
        fixed = _round(folder / "fixed", args, adaptive=False)
        adaptive = _round(folder / "adaptive", args, adaptive=True)
    result = {
        "ratio": round(adaptive["tokens_each"] / fixed["tokens_each"], 4),
        "fixed": fixed,
        "adaptive": adaptive,
        "samples": args.samples,
        "keep": args.keep,
    }
    print(json.dumps(result))


def _round(folder: Path, args: argparse.Namespace, *, adaptive: bool) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    completions, verdicts = folder / "completions.jsonl", folder / "verdicts.jsonl"
    cores = len(os.sched_getaffinity(0))
    log = folder / "log.txt"
    problems = {"problems": args.problems, "limit": args.limit}
    began = time.monotonic()
    generate = GenerateRequest(
        **problems,
        model=args.model,
        samples=args.samples,
        sampling=Sampling(
            temperature=args.temperature,
            max_tokens=args.max_tokens,
            stop_at_code=args.stop_at_code,
        ),
        seed=args.seed,
        out=completions,
        slots=args.slots,
        weights=args.weights,
        threads=cores,
        adaptive=adaptive,
        keep=args.keep,
        verdicts=verdicts,
    )
    verify = VerifyRequest(
        **problems, completions=completions, out=verdicts, workers=cores, follow=adaptive
    )
    with open_display("plain", args.progress) as display:
        if adaptive:
            drawn, _ = generate_and_verify(generate, verify, display, log)
        else:  # one after the other, as a round on a CPU does
            drawn = run_stage("generate", generate, display, log)
            run_stage("verify", verify, display, log)
        selected = run_stage(
            "select",
            SelectRequest(
                **problems,
                completions=completions,
                verdicts=verdicts,
                max_per_problem=args.keep,
                out=folder / "selected.jsonl",
            ),
            display,
            log,
        )
    found = {
        "tokens": drawn["tokens"],
        "completions": drawn["completions"],
        "selected": selected["kept"],
        "tokens_each": round(drawn["tokens"] / max(1, selected["kept"]), 1),
        "problems_covered": selected["problems_covered"],
        "seconds": round(time.monotonic() - began, 1),
    }
    if adaptive:
        found["stopped"] = drawn["stopped"]
        record = json.loads(stopped_record(completions).read_text())
        found["most_of_a_problem"] = max(one["samples"] for one in record["problems"].values())
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--problems", required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--samples", type=int, default=8, help="of fixed sampling")
    parser.add_argument("--keep", type=int, default=4, help="examples of one problem at most")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--max-tokens", type=int, default=160)
    parser.add_argument("--stop-at-code", action="store_true", help="as `generate` has it")
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--weights", choices=("auto", "stored", "f16"), default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keep everything here")
    parser.add_argument("--progress", type=argparse.FileType("w"), default="/dev/stderr")
    return parser.parse_args()


if __name__ == "__main__":
    main()
