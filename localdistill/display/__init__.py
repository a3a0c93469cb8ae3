"""Displays render events; the work does not know them. One file per kind."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from typing import TextIO

from localdistill.display.base import Display, RunDisplay

KINDS = ("live", "plain", "json", "none")
_CANNOT_MOVE = {"", "dumb", "unknown"}  # of TERM: the cursor cannot be moved


def open_display(kind: str | None, stream: TextIO) -> Display:
    """The display of a single stage; None means live on a terminal and plain elsewhere."""
    chosen = kind or ("live" if _is_screen(stream) else "plain")
    module = importlib.import_module(f"localdistill.display.{chosen}")
    display: Display = module.open_display(stream)
    return display


def open_run_display(
    kind: str | None,
    stream: TextIO,
    keys: str = "",
    clock: Callable[[], float] = time.monotonic,
    *,
    watching: bool = False,
) -> RunDisplay:
    """The display of a whole run: ``live`` is the dashboard, where there is a terminal for it.

    ``keys`` says what keys do, if any are read; ``clock`` is the one by which events are timed.
    ``watching``: another process does the run, and is to be disturbed as little as can be.
    """
    chosen = kind or "live"
    if chosen == "live" and _is_screen(stream):
        from localdistill.display.dashboard.display import WATCHING, Dashboard, Pace

        return Dashboard(stream, clock, keys, WATCHING if watching else Pace())
    if chosen in ("live", "plain"):
        from localdistill.display.plain import PlainDisplay

        return PlainDisplay(stream, clock, keys)
    module = importlib.import_module(f"localdistill.display.{chosen}")
    display: RunDisplay = module.open_display(stream)
    return display


def _is_screen(stream: TextIO) -> bool:
    """Whether ``stream`` is a terminal that can be drawn on, and that is ours to draw on now."""
    if not stream.isatty() or os.environ.get("TERM", "") in _CANNOT_MOVE:
        return False
    return in_foreground(stream.fileno())


def in_foreground(descriptor: int) -> bool:
    """Whether this process is in the foreground of a terminal, or that has no such thing."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return True
