"""Claim: ``localdistill verify``, killed at random moments, loses no verdict and gives none twice.

    python benchmarks/verify_killed.py               # 2,000 completions

The command is killed with SIGKILL after a random time, and called again, until it is through. Each
time it has to have got a little further, so the time grows when it was too short. Prints one line
of JSON: how often it was killed, and verdicts that are lost, double or wrong.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

RIGHT = "```python\ndef solve(x):\n    return x + 1\n```"
WRONG = "```python\ndef solve(x):\n    return x\n```"
NONE = ""
STATUSES = {RIGHT: "passed", WRONG: "failed", NONE: "no_code"}
PROBLEMS = 20


def main() -> None:
    """Verify, kill, verify again, and count."""
    args = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        wanted = _write(Path(folder), args.completions)
        kills = _until_done(Path(folder), random.Random(args.seed), args)
        rows = [
            json.loads(line) for line in (Path(folder) / "verdicts.jsonl").read_text().splitlines()
        ]
    found = Counter((row["problem_id"], row["sample"]) for row in rows)
    result = {
        "completions": args.completions,
        "kills": kills,
        "lost": len(wanted.keys() - found.keys()),
        "double": sum(count - 1 for count in found.values()),
        "wrong": sum(row["status"] != wanted[row["problem_id"], row["sample"]] for row in rows),
    }
    print(json.dumps(result))


def _write(folder: Path, completions: int) -> dict[tuple[str, int], str]:
    """Write problems and completions; returns the statuses that they should get."""
    tests = {"kind": "check", "code": "def check(candidate):\n    assert candidate(3) == 4"}
    with (folder / "problems.jsonl").open("w") as out:
        for number in range(PROBLEMS):
            row = {"id": f"p{number}", "prompt": "Add 1.", "entry_point": "solve", "tests": tests}
            out.write(json.dumps(row) + "\n")
    wanted = {}
    with (folder / "completions.jsonl").open("w") as out:
        for number in range(completions):
            text = (RIGHT, WRONG, RIGHT, NONE)[number % 4]
            key = f"p{number % PROBLEMS}", number // PROBLEMS
            wanted[key] = STATUSES[text]
            row = {
                "problem_id": key[0],
                "sample": key[1],
                "text": text,
                "finish_reason": "stop",
                "token_count": 1,
                "mean_logprob": None,
                "seed": 0,
            }
            out.write(json.dumps(row) + "\n")
    return wanted


def _until_done(folder: Path, chance: random.Random, args: argparse.Namespace) -> int:
    command = [sys.executable, "-c", "from localdistill.cli import main; main()", "verify"]
    command += ["--progress", "none"]
    command += ["--sandbox", args.sandbox, "--problems", str(folder / "problems.jsonl")]
    command += ["--completions", str(folder / "completions.jsonl")]
    command += ["--out", str(folder / "verdicts.jsonl")]
    longest_s = 2.0
    for kills in range(1000):
        run = subprocess.Popen(command)
        try:
            code = run.wait(chance.uniform(0.2, longest_s) if kills < args.kills else None)
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
            longest_s *= 1.1
            continue
        assert code == 0, f"verify ended with exit code {code}"
        return kills
    raise AssertionError("verify did not get through")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--completions", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=100, help="at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sandbox", default="auto")
    return parser.parse_args()


if __name__ == "__main__":
    main()
