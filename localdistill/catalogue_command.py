"""The command ``models``."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from localdistill.catalogue.entry import Entry
from localdistill.catalogue.load import read_catalogue
from localdistill.display.catalogue import show_json, show_table
from localdistill.display.catalogue_entry import show_entry
from localdistill.errors import ConfigError
from localdistill.starting_points import on_disk


def add_commands(commands: Any) -> None:
    """Add ``models`` to ``commands`` (an argparse sub-parsers object)."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "models",
        help="known models: what they need, and which are on this disk",
        description="Lists the known models and looks for them where models usually lie. It reads "
        "headers only, and never downloads anything.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="show this one whole")
    parser.add_argument(
        "--look-in", action="append", default=[], type=Path, metavar="DIR", help="look here as well"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(act=run_models_command)


def run_models_command(options: argparse.Namespace) -> None:
    """List the catalogue, or show one entry."""
    entries = read_catalogue()
    if options.name is not None:
        entries = (_named(entries, options.name),)
    disk = on_disk(options.look_in)
    if options.json:
        show_json(entries, disk, sys.stdout)
    elif options.name is not None:
        show_entry(entries[0], disk.of(entries[0]), sys.stdout)
    else:
        show_table(entries, disk, sys.stdout, rich=sys.stdout.isatty())


def _named(entries: Sequence[Entry], name: str) -> Entry:
    for entry in entries:
        if entry.name == name.lower():
            return entry
    near = difflib.get_close_matches(name.lower(), [entry.name for entry in entries], n=1)
    hint = f"Did you mean {near[0]}?" if near else "See `localdistill models`."
    raise ConfigError(f"There is no model {name} in the catalogue. {hint}")
