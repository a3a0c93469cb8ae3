"""What is done at the end of a run, however it ends: one JSON line, and a command of the user's."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from localdistill.errors import ConfigError, storage_error
from localdistill.events import Callback, Event, RunFinished

_LIMIT_S = 60.0
_STDERR = 2
_LIMIT_STOPPED_S = 2.0  # whoever stopped us may wait for no more than ten seconds in all


class Ending:
    """Looks for the last event of a run; where an error came before there was one, makes it.

    Args:
        command: to be run at the end, without a shell; None: none.
        last_line: print that event as JSON when all else has been told.

    Raises:
        ConfigError: the command cannot be read, or is not there.
    """

    def __init__(self, command: str | None, *, last_line: bool) -> None:
        self._arguments = None if command is None else parse(command)
        self._last_line = last_line
        self._end: RunFinished | None = None
        self.run_dir: Path | None = None
        self.mute = False  # nothing may be written to the terminal any more

    def through(self, callback: Callback) -> Callback:
        """A callback that passes events on to ``callback``, but for what is the last line."""

        def take(event: Event, /) -> None:
            if isinstance(event, RunFinished):
                self._end = event
                if self._last_line:
                    return
            callback(event)

        return take

    @property
    def exit_code(self) -> int:
        """That of the run, as far as it is known."""
        return 1 if self._end is None else self._end.exit_code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._end is None:
            if error is None:
                return
            from localdistill.pipeline.end import cut_short

            self._end = cut_short(error, self.run_dir)
        if self._last_line:
            print(self._end.model_dump_json(), flush=True)  # noqa: T201
        if self._arguments is not None and not isinstance(error, BrokenPipeError):
            warning = run_command(self._arguments, self._end)
            if warning is not None and not self.mute:
                _warn(warning)


def parse(command: str) -> list[str]:
    """``command`` as a program and its arguments.

    Raises:
        ConfigError: an open quotation, nothing at all, or no such program.
    """
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"--on-finish {command}: {error}. Close the quotation.") from error
    if not arguments:
        raise ConfigError("--on-finish needs a command, as in --on-finish 'notify-send done'.")
    if shutil.which(arguments[0]) is None:
        message = f"--on-finish {command}: there is no program {arguments[0]}"
        raise ConfigError(f"{message}; give its path. (For a shell's syntax: sh -c '...')")
    return arguments


def run_command(arguments: list[str], end: RunFinished) -> str | None:
    """Run it with ``end`` as JSON on its stdin and in ``LOCALDISTILL_RESULT``; what went wrong.

    What it prints goes to stderr: the last line on stdout is the run's.
    """
    line = end.model_dump_json()
    limit_s = _LIMIT_STOPPED_S if end.outcome == "stopped" else _LIMIT_S
    try:
        done = subprocess.run(
            arguments,
            input=line + "\n",
            text=True,
            stdout=_STDERR,
            env={**os.environ, "LOCALDISTILL_RESULT": line},
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{arguments[0]} was ended after {limit_s:.0f} seconds"
    except OSError as error:
        return str(storage_error(error, arguments[0]) or error)
    if done.returncode != 0:
        return f"{arguments[0]} ended with exit code {done.returncode}"
    return None


def _warn(text: str) -> None:
    print(f"localdistill: warning: --on-finish: {text}", file=sys.stderr)  # noqa: T201
