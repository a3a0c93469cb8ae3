"""The command ``models``, and catalogue names where a model's path is wanted."""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from localdistill.catalogue.entry import Entry
from localdistill.catalogue.find import Found, OnDisk, find_models
from localdistill.catalogue.load import read_catalogue
from localdistill.catalogue.places import usual_places
from localdistill.display.catalogue import show_json, show_table
from localdistill.display.catalogue_entry import show_entry
from localdistill.errors import ConfigError
from localdistill.models import models_dir


def add_models_command(commands: Any) -> None:
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


def run_models_command(options: argparse.Namespace) -> None:
    """List the catalogue, or show one entry."""
    entries = read_catalogue()
    if options.name is not None:
        entries = (_named(entries, options.name),)
    disk = _on_disk(options.look_in)
    if options.json:
        show_json(entries, disk, sys.stdout)
    elif options.name is not None:
        show_entry(entries[0], disk.of(entries[0]), sys.stdout)
    else:
        show_table(entries, disk, sys.stdout, rich=sys.stdout.isatty())


def _on_disk(look_in: Sequence[Path] = ()) -> OnDisk:
    places = usual_places(
        look_in,
        models_dir(),
        environment=os.environ,
        home=Path.home(),
        working_directory=Path.cwd(),
    )
    return find_models(read_catalogue(), places)


def _named(entries: Sequence[Entry], name: str) -> Entry:
    for entry in entries:
        if entry.name == name.lower():
            return entry
    near = difflib.get_close_matches(name.lower(), [entry.name for entry in entries], n=1)
    hint = f"Did you mean {near[0]}?" if near else "See `localdistill models`."
    raise ConfigError(f"There is no model {name} in the catalogue. {hint}")


def model_path(given: str) -> str:
    """``given``, or where the model of that name in the catalogue lies on this disk.

    Raises:
        ConfigError: it is a catalogue name, and the model cannot be trained, is not on this disk,
            or is there several times.
    """
    if Path(given).exists():
        return given
    entry = next((entry for entry in read_catalogue() if entry.name == given), None)
    if entry is None:
        return given
    if entry.why_not_trainable is not None:
        raise ConfigError(f"--model {given}: {entry.why_not_trainable}.")
    if entry.bundled is not None:
        return str(models_dir() / entry.bundled)
    found = _on_disk().of(entry)
    if not found:
        raise ConfigError(
            f"--model {given}: it is in the catalogue, but not on this disk. `localdistill models "
            f"{given}` says how to get it; then give the path of the file."
        )
    return str(_only(given, found).path)


def _only(given: str, found: Sequence[Found]) -> Found:
    # A GGUF inside a folder with the weights is the same model's other half: the folder has both.
    folders = {one.path for one in found if one.form == "folder"}
    whole = [one for one in found if one.path.parent not in folders]
    if len(whole) > 1:
        listed = ", ".join(str(one.path) for one in whole)
        raise ConfigError(f"--model {given}: it is on this disk several times. Give one: {listed}")
    return whole[0]
