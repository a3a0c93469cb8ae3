"""``localdistill watch RUN``: the dashboard of a run that another process does, or has done."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
from pathlib import Path
from typing import Any

from localdistill.display import open_run_display
from localdistill.display.base import RunDisplay
from localdistill.display.keys import Keys
from localdistill.display.words import tamed
from localdistill.errors import ConfigError
from localdistill.events import Notice, RunFinished, RunStarted, StageProgress
from localdistill.run_dir import RunDir
from localdistill.usage import add_progress
from localdistill.watching import Recording, RunClock, is_at_work

_KEYS = "q leaves (the run goes on)"
_GONE = (
    "The run's process ended without a word (it was killed, or the power went): the same command "
    "goes on from where it was."
)
_NOT_YET = (
    "{} has not begun yet: its model is being fetched from the hub, or model, problems and sandbox "
    "are being looked at."
)
_NEVER = (
    "The run has not begun: its command ended before. The terminal where it was given says why."
)


def add_commands(commands: Any) -> None:
    """Add the sub-command to ``commands`` (an argparse sub-parsers object)."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "watch",
        help="look at a run from another terminal or container",
        description="Shows what the run's own display shows, and changes nothing. Ends with the "
        "run; of one that has ended it shows the end.",
    )
    parser.add_argument("run_dir", type=Path, metavar="RUN", help="a run directory")
    add_progress(parser)
    parser.set_defaults(act=run_watch_command)


def run_watch_command(options: argparse.Namespace) -> None:
    """Watch the run that was named.

    Raises:
        ConfigError: there is none.
    """
    directory = RunDir(options.run_dir)
    at_work = is_at_work(directory)
    if not at_work and not directory.events.is_file():
        message = f"{directory.path}: there is no run in it"
        raise ConfigError(f"{message}; `localdistill run --run-dir {directory.path}` begins one.")
    watcher = _Watcher(directory)
    keys = Keys(sys.stdin if options.progress not in ("json", "none") else None, watcher.on_key)
    told = _KEYS if keys.active else ""
    display = open_run_display(options.progress, sys.stdout, told, watcher.clock.now, watching=True)
    watcher.read(display, history=True)
    # As JSON there is what the run itself has written, and no more.
    if at_work and watcher.not_yet is not None and options.progress != "json":
        display.take(Notice(message=watcher.not_yet), watcher.clock.now())
    with contextlib.ExitStack() as stack:
        if at_work:
            stack.enter_context(display)
            stack.enter_context(keys)
            try:
                watcher.follow(display)
            except KeyboardInterrupt:  # the watcher has had enough, and no run is stopped
                watcher.left.set()
        else:
            display.show_record()
    if display.stuck:
        # Nobody reads what would be said, and Python's own end would wait for the stream.
        os._exit(0)
    if options.progress not in ("json", "none"):
        print("\n".join(watcher.ending()))  # noqa: T201


class _Watcher:
    def __init__(self, directory: RunDir) -> None:
        self.directory = directory
        self.recording = Recording(directory)
        self.clock = RunClock()
        self.begun = False  # something of it was read
        self.end: RunFinished | None = None
        self.left = threading.Event()  # the watcher, while the run goes on

    def on_key(self, key: str) -> None:
        if key in "qQ":
            self.left.set()

    def read(self, display: RunDisplay, *, history: bool = False) -> None:
        """Show what is new; of progress that is long past, only where it has led to."""
        for recorded in self.recording.new():
            self.begun = True
            if isinstance(recorded.event, RunStarted):
                self.end = None
            elif isinstance(recorded.event, RunFinished):
                self.end = recorded.event
            past = history and isinstance(recorded.event, StageProgress)
            display.take(recorded.event, self.clock.at(recorded), quietly=past)

    @property
    def not_yet(self) -> str | None:
        """That the call at work has not begun, where nothing of it was read."""
        if not self.begun:
            return _NOT_YET.format("The run")
        if self.end is not None and is_at_work(self.directory):  # and has not just ended
            return _NOT_YET.format("The call that goes on with this run")
        return None

    def follow(self, display: RunDisplay) -> None:
        """Show what comes until the run is over, or the watcher has had enough."""
        while not self.left.is_set():
            # In this order: what a run has said last is seen by whoever sees that it is gone.
            at_work = is_at_work(self.directory)
            self.read(display)
            if not at_work:
                return
            display.look()
            self.left.wait(self.recording.until_next())

    def ending(self) -> list[str]:
        """How it ended, in the words of ``run`` itself."""
        if self.left.is_set():
            return [f"The run goes on; `localdistill watch {self.directory.path}` shows it again."]
        end = self.end
        if end is None:
            return [_GONE if self.begun else _NEVER]
        lines = []
        if end.verdict not in (None, "no new model") and self.directory.evaluation.is_file():
            lines += _compared(self.directory.evaluation)
        elif end.verdict is not None:
            lines.append(f"Verdict: {end.verdict}")
        if end.model is not None:
            lines.append(f"Model: {tamed(end.model)}")
        if end.reason is not None:
            lines.append(tamed(f"{'Failed: ' if end.outcome == 'failed' else ''}{end.reason}"))
        return lines


def _compared(evaluation: Path) -> list[str]:
    # Here, as it takes a while: ten watchers must not take it from a run that has just begun.
    from localdistill.result_text import comparison
    from localdistill.types import EvalResult

    text = evaluation.read_text(encoding="utf-8")
    return comparison(EvalResult.model_validate_json(text))
