"""The options of ``run``, and the configuration that they describe."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path
from typing import Any

from localdistill import config as configuration
from localdistill import preflight, problems, selection, starting_points
from localdistill.claim import Claim
from localdistill.config import Config
from localdistill.errors import ConfigError
from localdistill.models import models_dir
from localdistill.usage import READY_SETS, add_progress


def add_options(commands: Any) -> argparse.ArgumentParser:
    """Add the sub-command ``run`` to ``commands`` (an argparse sub-parsers object)."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "run",
        help="improve a model over one or more rounds, and say whether it got better",
        description="Without a model it runs on the bundled seed model and its problems. The same "
        "command on an existing run directory goes on where it was.",
    )
    parser.add_argument("config", nargs="?", type=Path, metavar="CONFIG.toml")
    parser.add_argument("--model", help=starting_points.HELP)
    parser.add_argument("--problems", help="[FORMAT:]FILE[#PART] to train on")
    text = "for choices between rounds (else 15%% of --problems)"
    parser.add_argument("--dev-problems", help=text)
    text = "for the final comparison (else 15%% of --problems)"
    parser.add_argument("--eval-problems", help=text)
    parser.add_argument("--limit", type=int, help="use the first N problems of each set")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--samples", type=int, help="completions a problem")
    parser.add_argument("--select", help=", ".join(selection.names()))
    parser.add_argument(
        "--compare", metavar="S,S", help="train by each of these strategies, compare them on dev"
    )
    parser.add_argument(
        "--compare-tokens", type=int, metavar="N", help="trained tokens each (else the least)"
    )
    parser.add_argument(
        "--controls", metavar="C,C", help="references, shuffled: what tuning alone would give"
    )
    parser.add_argument(
        "--hours", type=float, help="working time of all calls: end in it, with the best model"
    )
    parser.add_argument("--seed", type=int)
    parser.add_argument(
        "--deterministic", action="store_true", default=None, help="equal texts after a kill"
    )
    parser.add_argument(
        "--adaptive",
        action="store_true",
        default=None,
        help="draw by what passes: no more of a problem than selection will keep",
    )
    parser.add_argument("--run-dir", type=Path)
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="any setting: train.rank=8"
    )
    parser.add_argument(
        "--on-finish", metavar="COMMAND", help="run it at the end; the result is JSON on its stdin"
    )
    add_progress(parser)
    return parser


_OPTIONS = {
    "model": "model",
    "problems": "problems",
    "dev_problems": "dev_problems",
    "eval_problems": "eval_problems",
    "limit": "limit",
    "rounds": "rounds",
    "samples": "generate.samples",
    "select": "select.strategy",
    "seed": "seed",
    "deterministic": "deterministic",
    "adaptive": "generate.adaptive",
    "compare": "compare",
    "compare_tokens": "compare_tokens",
    "controls": "controls",
    "hours": "hours",
}
_LISTS = ("compare", "controls")  # given with commas
_PATHS = ("model", "problems", "dev_problems", "eval_problems")


def run_config(options: argparse.Namespace, claim: Claim | None = None) -> Config:
    """The configuration that the options of `run` describe.

    Its model is fetched if need be; before that ``claim`` takes the run's directory.
    """
    values: dict[str, Any] = {}
    file = options.config
    if file is None and options.model is None:
        file = models_dir() / "seed" / "run.toml"
    if file is not None:
        values = configuration.read_toml(file)
        for name in _PATHS:  # a path in a file is relative to that file
            if isinstance(values.get(name), str):
                values[name] = _anchored(name, values[name], file.resolve().parent)
    for option, name in _OPTIONS.items():
        value = getattr(options, option)
        if option in _LISTS and value is not None:
            value = [part.strip() for part in value.split(",") if part.strip()]
        if value is not None:
            configuration.apply(values, name, _anchored(name, value))
    for text in options.set:
        name, value = configuration.parse_assignment(text)
        configuration.apply(values, name, _anchored(name, value))
    if "model" in values and "problems" not in values:
        raise ConfigError(f"--model needs --problems FILE. {READY_SETS}")
    config = configuration.build(values)
    # Absolute, where it was a name: the same model, from wherever the run is continued.
    located = Path.cwd() / _located(config, options.progress, claim)
    return config.model_copy(update={"model": str(located)})


def _located(config: Config, progress: str | None, claim: Claim | None) -> str:
    """The path of the model of ``config``, which is fetched if need be."""
    if claim is None:
        before = functools.partial(_check_cheaply, config)
        return starting_points.locate(config.model, progress=progress, before=before)

    def taken() -> None:
        _check_cheaply(config)
        claim.take(config)

    return starting_points.locate(
        config.model, progress=progress, before=taken, alive=claim.show_life
    )


def _check_cheaply(config: Config) -> None:
    """What would make it pointless to fetch gigabytes."""
    preflight.check_names(config)
    for spec in (config.problems, config.dev_problems, config.eval_problems):
        if spec is not None:
            problems.load(spec, config.limit)


def _anchored(name: str, value: Any, folder: Path | None = None) -> Any:
    """A path made absolute: the same file, from wherever the run is continued."""
    folder = folder or Path.cwd()
    if name not in _PATHS or not isinstance(value, str):
        return value
    if name == "model" and not (folder / value).exists() and starting_points.is_name(value):
        return value
    return _relative_to(folder, value)


def _relative_to(folder: Path, spec: str) -> str:
    head, colon, rest = spec.partition(":")
    if colon and "/" not in head:
        return f"{head}:{folder / rest}"
    return str(folder / spec)
