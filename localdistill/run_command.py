"""``localdistill run``: the run with its display, its keys and what is done at its end."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from localdistill import starting_points, steering
from localdistill.claim import Claim
from localdistill.display import open_run_display
from localdistill.display.answers import printable
from localdistill.display.base import RunDisplay
from localdistill.display.keys import Keys
from localdistill.models import default_home
from localdistill.on_finish import Ending
from localdistill.report_command import write_at_the_end
from localdistill.run_dir import RunDir
from localdistill.run_options import add_options, run_config

_KEYS = "q stops, p pauses"


def add_commands(commands: Any) -> None:
    """Add ``run`` to ``commands`` (an argparse sub-parsers object)."""
    add_options(commands).set_defaults(act=run)


def run(options: argparse.Namespace) -> None:
    """Do the run that ``options`` describe, and print what it came to.

    The process ends with 1 where no round gave a model.
    """
    from localdistill import pipeline, result_text

    as_json = options.progress == "json"
    ending = Ending(options.on_finish, last_line=as_json)
    shown: RunDisplay | None = None
    try:
        with ending, Claim(options.run_dir) as claim:
            config = run_config(options, claim)
            named = options.run_dir or default_home() / starting_points.name_of(Path(config.model))
            place = claim.directory or RunDir(named)
            directory = place.path
            ending.run_dir = directory
            quiet = options.progress in ("json", "none")
            try:
                with contextlib.ExitStack() as stack:
                    keys = Keys(None if quiet else sys.stdin, steering.on_key)
                    told = _KEYS if keys.active else ""
                    shown = open_run_display(options.progress, sys.stdout, told)
                    stack.enter_context(shown)
                    stack.enter_context(keys)
                    result = pipeline.run(config, place, ending.through(shown))
                    report = write_at_the_end(directory, shown)
            finally:
                ending.mute = shown is not None and shown.stuck
            if not as_json and not ending.mute:
                print(printable(result_text.result_text(result, report)), flush=True)  # noqa: T201
    finally:
        if ending.mute:
            # A terminal that takes nothing (Ctrl-S, a connection that hangs) must not keep the
            # end from whoever waits for it; Python's own would wait for the stream.
            error = sys.exc_info()[1]
            if error is not None and not sys.stderr.isatty():
                print(printable(f"localdistill: {error}"), file=sys.stderr, flush=True)  # noqa: T201
            os._exit(ending.exit_code)
    if result.evaluation is None and not result.model.round:
        sys.exit(1)
