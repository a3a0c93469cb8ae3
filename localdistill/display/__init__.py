"""Displays render events; the work does not know them. One file per kind."""

from __future__ import annotations

import importlib
from typing import TextIO

from localdistill.display.base import Display

KINDS = ("live", "plain", "json", "none")


def open_display(kind: str | None, stream: TextIO) -> Display:
    """The display called ``kind``; None means live on a terminal and plain elsewhere."""
    chosen = kind or ("live" if stream.isatty() else "plain")
    module = importlib.import_module(f"localdistill.display.{chosen}")
    display: Display = module.open_display(stream)
    return display
