"""Claim: sampling is about as fast as the model can be decoded, and faster than the usual ways.

    python benchmarks/build_llama_server.py --out DIR
    python benchmarks/generate_throughput.py --model FILE.gguf --problems mbpp:mbpp.jsonl#test \\
        --server DIR/bin/llama-server

The same prompts, sampler, threads and number of sequences for all, end tokens counted as sampled,
loading not counted; each in a process of its own, in turn, there and back (``--repeats``). What
they are is in ``generate_peers.py``:

- ours: `LlamaCppGenerator`.
- loop: `llama_cpp.Llama.create_completion`, one sample after the other.
- server: llama.cpp's own.
- limit: nothing but `llama_decode` on full batches, with weights in the form that ours takes.
  Unpacking them is a part of loading; how long ours takes for it is told as loading_seconds.

The sampler is top-k 20, top-p 0.95, temperature 1, at which its place in the chain does not matter;
another temperature stands last for all, as the loop cannot do otherwise. OpenMP's threads spin
alike for all, as ours set it: GOMP_SPINCOUNT in the environment says otherwise.

Prints one line of JSON; ratios are medians of those within a repeat:

- vs_loop, vs_server: tokens a second, prompts and all.
- vs_limit: tokens a second of the passes that held no prompt, drawing and bookkeeping included,
  partly filled batches too, against the limit.
- vs_limit_whole: the time that bare `llama_decode` would need for our prompt tokens (computed
  apart) and samples (in full batches), against our time for everything.
- python_share: of our time, what was spent outside of C functions, which are all timed here.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import generate_peers

from localdistill.cores import usable_cores
from localdistill.problems import load
from localdistill.problems.prompt import messages

Run = dict[str, Any]  # what a peer has measured


def main() -> None:
    """Run each in turn and compare."""
    args = _arguments()
    work = _work(args)
    runs: dict[str, list[Run]] = {name: [] for name in args.peers}
    for number in range(args.repeats):
        for name in args.peers if number % 2 == 0 else reversed(args.peers):
            run = _measure(name, work)
            # The limit takes the lengths that samples really had.
            work["lengths"] = run.pop("lengths", work["lengths"])
            runs[name].append(run)
            print(f"{number + 1} {name}: {json.dumps(run)}", file=sys.stderr, flush=True)
    print(json.dumps({**_ratios(runs), **_facts(args), "runs": runs}))


def _work(args: argparse.Namespace) -> dict[str, Any]:
    problems = load(args.problems, args.prompts).problems
    fields = ("samples", "max_tokens", "slots", "threads", "temperature", "top_k", "top_p",
              "loop_share", "limit_steps", "server_options", "weights")  # fmt: skip
    return {
        **{name: getattr(args, name) for name in fields},
        "model": str(args.model),
        "server": str(args.server),
        "problems": [
            {"id": each.id, "messages": [m.model_dump() for m in messages(each)]}
            for each in problems
        ],
        "lengths": [args.max_tokens] * (len(problems) * args.samples),
    }


def _measure(name: str, work: dict[str, Any]) -> Run:
    environment = dict(os.environ)
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault("GOMP_SPINCOUNT", "3000")
    done = subprocess.run(
        [sys.executable, generate_peers.__file__, name],
        input=json.dumps(work), stdout=subprocess.PIPE, text=True, env=environment, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        sys.exit(f"generate_throughput: {name} failed; its message stands above")
    run: Run = json.loads(done.stdout.splitlines()[-1])
    return run


def _ratios(runs: dict[str, list[Run]]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for number, ours in enumerate(runs.get("ours", [])):
        other = {name: rows[number] for name, rows in runs.items() if name != "ours"}
        for name in ("loop", "server"):
            if name in other:
                ratio = ours["per_second"] / other[name]["per_second"]
                found.setdefault(f"vs_{name}", []).append(ratio)
        if limit := other.get("limit"):
            ratio = ours["decoded_per_second"] / limit["per_second"]
            least = ours["tokens"] / limit["per_second"]
            least += ours["prefill_tokens"] / limit["prefill_per_second"]
            found.setdefault("vs_limit", []).append(ratio)
            found.setdefault("vs_limit_whole", []).append(least / ours["seconds"])
        found.setdefault("python_share", []).append(ours["share"]["python"])
    return {name: round(statistics.median(values), 4) for name, values in found.items()}


def _facts(args: argparse.Namespace) -> dict[str, Any]:
    names = ("prompts", "samples", "max_tokens", "slots", "threads", "temperature", "top_k",
             "top_p", "repeats")  # fmt: skip
    return {"model": args.model.name, **{name: getattr(args, name) for name in names}}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    peers = list(generate_peers.PEERS)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--problems", required=True, help="[FORMAT:]FILE[#PART]")
    parser.add_argument("--server", type=Path, help="llama-server; see build_llama_server.py")
    parser.add_argument("--server-options", nargs=argparse.REMAINDER, default=[],
                        help="the rest of the line goes to the server")  # fmt: skip
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--max-tokens", type=int, default=160)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top-k", type=int, default=20)
    parser.add_argument("--top-p", type=float, default=0.95)
    parser.add_argument("--share", type=float, default=1.0, help="only this share of the prompts")
    parser.add_argument("--loop-share", type=float, default=1.0,
                        help="the loop's share of the samples of each prompt")  # fmt: skip
    parser.add_argument("--limit-steps", type=int, default=400, help="full batches; 0: all")
    parser.add_argument("--peers", nargs="+", choices=peers, default=peers)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--weights", choices=("auto", "stored", "f16"), default="auto",
                        help="for ours and the limit; others have the file as it is")  # fmt: skip
    args = parser.parse_args()
    args.prompts = max(1, round(args.prompts * args.share))
    if args.server is None and "server" in args.peers:
        print("without --server: llama.cpp's server is left out", file=sys.stderr)
        args.peers = [name for name in args.peers if name != "server"]
    return args


if __name__ == "__main__":
    main()
