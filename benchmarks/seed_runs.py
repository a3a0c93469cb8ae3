"""Runs of the command line on the seed model that share what does not depend on the selection."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localdistill import config as configuration

Settings = Mapping[str, object]  # by dotted name
ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "models" / "seed" / "run.toml"
# What a run has made before it selects anything, and its scores of the base model.
BEFORE_SELECTION = (
    "problems/*",
    "start/*",
    "rounds/01/completions.jsonl*",
    "rounds/01/verdicts.jsonl*",
    "scores/*/base/*",
)


def localdistill(*arguments: object) -> None:
    """Run a command of the program that this Python has installed; its output goes to ours."""
    command = [Path(sys.executable).with_name("localdistill"), *map(str, arguments)]
    subprocess.run(command, check=True, stdout=sys.stderr, cwd=ROOT)


def run(directory: Path, settings: Settings, like: Path | None = None) -> dict[str, Any]:
    """One run with `settings` on top of `run.toml`, or what is missing of it: `evaluation.json`.

    With `like`, a finished run of the same seed, model and sampling, its completions and verdicts
    of round 1 are taken over: a sample's seed does not depend on how it is selected.
    """
    if like is not None and not directory.exists():
        _begin_like(directory, settings, like)
    options = [o for name, value in settings.items() for o in ("--set", f"{name}={value}")]
    localdistill("run", CONFIG, *options, "--run-dir", directory, "--progress", "plain")
    return read(directory / "evaluation.json")


def _begin_like(directory: Path, settings: Settings, like: Path) -> None:
    for pattern in BEFORE_SELECTION:
        for source in sorted(like.glob(pattern)):
            target = directory / source.relative_to(like)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    values = configuration.read_toml(like / "config.toml")
    for name, value in settings.items():
        configuration.apply(values, *configuration.parse_assignment(f"{name}={value}"))
    (directory / "config.toml").write_text(configuration.build(values).to_toml(), encoding="utf-8")


def evaluate(candidate: Path, baseline: Path, problems: Path, out: Path, *options: object) -> Any:
    """Compare two GGUF files as `localdistill evaluate` does."""
    localdistill("evaluate", "--model", candidate, "--baseline", baseline, "--problems", problems,
                 "--out", out, *options)  # fmt: skip
    return read(out)


def read(path: Path) -> dict[str, Any]:
    """A JSON object from a file."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
