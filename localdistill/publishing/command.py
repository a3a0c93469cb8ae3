"""What the command ``export`` takes besides the stage of that name, and what it does with it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from localdistill.display import open_display
from localdistill.errors import ConfigError
from localdistill.events import Callback
from localdistill.publishing import publish, source

_BOTH = "Give a run directory, or --model, --adapter and --out"
# Of an export that is still to be made.
_MAKING = {"model": "--model", "adapter": "--adapter", "data": "--data"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the run directory and the forms for people to the parser of ``export``."""
    text = "a run directory: its best model is written, with nothing computed anew"
    parser.add_argument("run_dir", nargs="?", type=Path, metavar="RUN_DIR", help=text)
    text = "with RUN_DIR: the model of this round instead of the one that the run has chosen"
    parser.add_argument("--round", type=int, metavar="N", help=text)
    parser.add_argument("--name", help="what to call the model (default: BASE-localdistill)")
    folder: dict[str, Any] = {"type": Path, "metavar": "DIR"}
    text = "write the file with a Modelfile for `ollama create`"
    parser.add_argument("--ollama", help=text, **folder)
    text = "write it into LM Studio's folder of models (~/.lmstudio/models)"
    parser.add_argument("--lmstudio", help=text, **folder)
    text = "write the merged 16-bit weights as a Hugging Face folder"
    parser.add_argument("--hf", help=text, **folder)
    text = "write the adapter alone, for llama.cpp's --lora"
    parser.add_argument("--adapter-gguf", type=Path, metavar="FILE", help=text)


def is_of_run(given: dict[str, Any]) -> bool:
    """Whether the options ask for a run's model, with nothing to compute.

    Raises:
        ConfigError: they do not go together, or ask for nothing.
    """
    publish.check_name(given.get("name"))
    if "run_dir" in given:
        extra = [option for name, option in _MAKING.items() if name in given]
        extra += ["--quant"] if given.get("quant", "same") != "same" else []
        if extra:
            raise ConfigError(f"{extra[0]} does not go with a run directory. {_BOTH}.")
        if not targets_of(given):
            wanted = "--out, --ollama, --lmstudio, --hf or --adapter-gguf"
            raise ConfigError(f"Say where to write the model: {wanted}.")
        return True
    if "round" in given:
        raise ConfigError(f"--round goes with a run directory. {_BOTH}.")
    lacking = [f"--{name}" for name in ("model", "adapter", "out") if name not in given]
    if lacking:
        raise ConfigError(f"{lacking[0]} is missing. {_BOTH}.")
    return False


def targets_of(given: dict[str, Any]) -> publish.Targets:
    """What is to be written where."""
    return publish.Targets(
        gguf=given.get("out"),
        ollama=given.get("ollama"),
        lm_studio=given.get("lmstudio"),
        hf=given.get("hf"),
        adapter=given.get("adapter_gguf"),
    )


def check_early(given: dict[str, Any]) -> None:
    """Refuse to replace what is not ours, before the export is made.

    Raises:
        ConfigError: something is there already, or two outputs are in each other's way.
    """
    name = given.get("name") or source.default_name(given["model"])
    publish.check_targets(targets_of(given), name)


def publish_run(given: dict[str, Any]) -> None:
    """Write the model of a run."""
    found = source.of_run(given["run_dir"], given.get("round"), given.get("name"))
    with open_display(given.get("progress"), sys.stdout) as display:
        publish.run(found, targets_of(given), display)


def publish_export(given: dict[str, Any], callback: Callback) -> None:
    """Write what the stage has made in the other forms that are asked for, if any."""
    targets = targets_of({**given, "out": None})
    if targets:
        found = source.of_export(
            given["model"], given["out"], given["merged"], given["adapter"], given.get("name")
        )
        publish.run(found, targets, callback)
