"""How the defaults of `models/seed/run.toml` were chosen: configurations compared on dev alone.

    python benchmarks/seed_search.py train.learning_rate=1e-3 train.epochs=2,train.rank=32

Each argument is one configuration: settings that differ from `run.toml`, joined by commas. The
run's eval set is the dev set here, so that the real one stays unopened. Prints one line of JSON for
each configuration, with greedy decoding beside the default one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import seed_runs

PROBLEMS = seed_runs.CONFIG.parent / "problems"
BASE = next(seed_runs.CONFIG.parent.glob("*.gguf"))
GREEDY = ("--temperature", 0, "--samples", 1, "--max-tokens", 160)


def main() -> None:
    """Run each configuration and print what it gives on dev."""
    args = _arguments()
    runs = args.runs.resolve()
    runs.mkdir(parents=True, exist_ok=True)
    unused = runs / "one-problem.jsonl"  # a run wants a third set; with one round it has no use
    unused.write_text((PROBLEMS / "train.jsonl").read_text(encoding="utf-8").splitlines()[0] + "\n")
    sets = {
        "dev_problems": unused,
        "eval_problems": PROBLEMS / "dev.jsonl",
        "evaluate.decode": "same",
    }
    sampled: Path | None = None
    for text in args.configurations:
        settings = dict(part.split("=", 1) for part in text.split(",") if part)
        directory = runs / (text.replace(",", "+") or "defaults")
        samples_alike = not any(s.startswith(("generate.", "evaluate.", "seed")) for s in settings)
        found = seed_runs.run(directory, {**sets, **settings}, sampled if samples_alike else None)
        if samples_alike:
            sampled = sampled or directory
        models = sorted(directory.glob("rounds/*/model.gguf"))
        greedy = seed_runs.evaluate(
            models[-1], BASE, PROBLEMS / "dev.jsonl", directory / "greedy.json", *GREEDY
        )
        row = {"settings": text, "sampled": _figures(found), "greedy": _figures(greedy)}
        print(json.dumps(row), flush=True)


def _figures(evaluation: dict[str, object]) -> dict[str, float]:
    sides = {"before": evaluation["baseline"], "after": evaluation["candidate"]}
    return {name: round(side["pass_at"][0]["value"], 4) for name, side in sides.items()}  # type: ignore[index]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("configurations", nargs="+", metavar="NAME=VALUE,...", help="'': defaults")
    parser.add_argument("--runs", type=Path, default=Path("runs/seed-search"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
