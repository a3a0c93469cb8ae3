"""The command ``plan``: what generation will take of this machine's memory."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from localdistill import gpus, starting_points
from localdistill.cores import usable_cores
from localdistill.display.plan import Plan, show
from localdistill.errors import ConfigError
from localdistill.models import models_dir
from localdistill.problems import load
from localdistill.quantization.gguf_file import read_header
from localdistill.quantization.start import find_gguf
from localdistill.stages import this_machine
from localdistill.stages.generate import GenerateRequest
from localdistill.stages.model_shape import shape_of
from localdistill.stages.sizing import Task, longest_prompt

_PROMPT = 512  # tokens of a prompt where no problems are named


def add_plan_command(commands: Any) -> None:
    """Add ``plan`` to ``commands`` (an argparse sub-parsers object)."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "plan",
        help="what generation will take of this machine's memory",
        description="From the header of the model's file and the memory that is free now. "
        "Training's part is not planned yet.",
    )
    parser.add_argument("--model", help=f"{starting_points.HELP}; else the seed model")
    parser.add_argument("--problems", help="[FORMAT:]FILE[#PART], for the length of prompts")
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument("--slots", type=int, help="sequences decoded together")
    parser.add_argument("--samples", type=int, default=8, help="completions a problem (8)")
    parser.add_argument("--threads", type=int)


def run_plan_command(options: argparse.Namespace) -> None:
    """Show what generation would take.

    Raises:
        ModelError: the file is no model.
        MemoryShortage: it does not fit; the message has the figures.
    """
    given = models_dir() / "seed"
    if options.model:
        given = Path(starting_points.locate(options.model, fetch_it=False))
    path = find_gguf(given)
    if path is None:
        raise ConfigError(f"{given}: no GGUF file yet; `localdistill run` makes it from a folder.")
    shape = shape_of(read_header(path))
    _check(options, path)
    prompt = longest_prompt(load(options.problems).problems) if options.problems else _PROMPT
    threads = options.threads or usable_cores()
    task = Task(
        options.max_tokens,
        prompt,
        options.slots,
        samples=options.samples,
        path=path,
        threads=threads,
    )
    sizing = this_machine.choose_here(shape, task)
    show(
        Plan(path, shape, task, sizing, threads, gpus.gpus(), this_machine.offloads()),
        sys.stdout,
    )


def _check(options: argparse.Namespace, path: Path) -> None:
    sampling = {"max_tokens": options.max_tokens}
    try:
        GenerateRequest.model_validate(
            {
                "model": path,
                "problems": "",
                "out": path,
                "slots": options.slots,
                "threads": options.threads,
                "samples": options.samples,
                "sampling": sampling,
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][-1]).replace("_", "-")
        raise ConfigError(f"--{name} {first['input']}: {first['msg']}.") from error
