"""Claim: ``localdistill generate``, killed at random moments, draws every sample exactly once.

    python benchmarks/generate_killed.py                   # 1,000 problems x 4 samples
    python benchmarks/generate_killed.py --deterministic   # and the same text as undisturbed

The command is killed with SIGKILL and called again, until it is through. Moments are drawn evenly
over the work: a kill comes when a random number of rows has been written, and a random while
later. The problems are the seed model's, taken again under other names until they are enough.
Prints one line of JSON: kills, and completions that are lost, double or, in deterministic mode,
different from those of a run that was left alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

SEED = Path(__file__).parents[1] / "models" / "seed"


def main() -> None:
    """Generate, kill, generate again, and count."""
    args = _arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ids = _write_problems(folder / "problems.jsonl", args.problems)
        out = folder / "killed.jsonl"
        kills = _until_done(folder, out, args)
        keys = [(row["problem_id"], row["sample"]) for row in map(json.loads, out.open())]
        wanted = {(problem, sample) for problem in ids for sample in range(args.samples)}
        result = {
            "problems": len(ids),
            "samples": args.samples,
            "deterministic": args.deterministic,
            "kills": len(kills),
            "rows_at_kills": kills,
            "lost": len(wanted - set(keys)),
            "double": sum(count - 1 for count in Counter(keys).values()),
            "unwanted": len(set(keys) - wanted),
        }
        if args.deterministic:
            undisturbed = folder / "undisturbed.jsonl"
            _start(folder, undisturbed, args).wait()
            pairs = zip(out.open(), undisturbed.open(), strict=True)
            result["different"] = sum(a != b for a, b in pairs)
    print(json.dumps(result))


def _write_problems(path: Path, wanted: int) -> list[str]:
    rows = [
        json.loads(line)
        for split in ("train", "dev", "eval")
        for line in (SEED / "problems" / f"{split}.jsonl").read_text().splitlines()
    ]
    ids = []
    with path.open("w") as out:
        for number, row in enumerate(itertools.islice(itertools.cycle(rows), wanted)):
            ids.append(f"{row['id']}-{number // len(rows)}")
            out.write(json.dumps({**row, "id": ids[-1]}) + "\n")
    return ids


def _start(folder: Path, out: Path, args: argparse.Namespace) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from localdistill.cli import main; main()", "generate"]
    command += ["--model", str(next(SEED.glob("*.gguf"))), "--progress", "none"]
    command += ["--problems", str(folder / "problems.jsonl"), "--samples", str(args.samples)]
    command += ["--max-tokens", "160", "--out", str(out)]
    return subprocess.Popen(command + (["--deterministic"] if args.deterministic else []))


def _until_done(folder: Path, out: Path, args: argparse.Namespace) -> list[int]:
    """Kill at moments that are spread over the work; returns the rows that were there at each."""
    chance = random.Random(args.seed)
    total = args.problems * args.samples
    moments = sorted(chance.sample(range(total), args.kills))
    kills = []
    for moment in moments:
        run = _start(folder, out, args)
        while run.poll() is None and _rows(out) < moment:
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 0.3))  # also in the middle of a chunk, or of a line
        run.kill()
        if run.wait() == 0:
            break
        kills.append(_rows(out))
    assert _start(folder, out, args).wait() == 0
    return kills


def _rows(out: Path) -> int:
    return out.read_bytes().count(b"\n") if out.exists() else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--problems", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--deterministic", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
