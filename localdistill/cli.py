"""The command line: parse, dispatch, tell of errors. What a command does is in its own module.

Only the module of the command that was given is imported: ``watch``, of which several may look at a
run that has all cores busy, needs next to nothing of what ``run`` needs.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import localdistill
from localdistill import steering
from localdistill.errors import LocaldistillError, Stopped, storage_error
from localdistill.usage import Parser

_STOPPED = 130  # as shells say for a command ended by Ctrl-C
_BROKEN_PIPE = 141  # and for one ended by SIGPIPE
# The commands of each module, which adds them by its ``add_commands``, in the order of --help.
_MODULES = {
    "run_command": ("run",),
    "watch_command": ("watch",),
    "stage_commands": ("generate", "verify", "select", "train", "export", "evaluate"),
    "catalogue_command": ("models",),
    "plan_command": ("plan",),
    "doctor_command": ("doctor",),
    "report_command": ("report",),
    "try_command": ("try",),
}


def build_parser(command: str | None = None) -> Parser:
    """The whole command line, or of it what ``command`` needs, if there is such a command."""
    parser = Parser(prog="localdistill", description=localdistill.__doc__)
    parser.add_argument("--version", action="version", version=localdistill.__version__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    of_command = [module for module, names in _MODULES.items() if command in names]
    for module in of_command or _MODULES:
        importlib.import_module(f"localdistill.{module}").add_commands(commands)
    return parser


def _complain(text: str) -> None:
    """One line, whatever a file's name or a library's message holds."""
    line = "".join(c if c.isprintable() else " " for c in text)
    print(f"localdistill: {' '.join(line.split())}", file=sys.stderr)  # noqa: T201


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point of the command ``localdistill``; ends the process with its exit code."""
    steering.install()
    options = argparse.Namespace()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        options = build_parser(given[0] if given else None).parse_args(given)
        options.act(options)
    except LocaldistillError as error:
        _complain(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:  # `| head`: whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_BROKEN_PIPE)
    except OSError as error:
        place = getattr(options, "out", None) or getattr(options, "run_dir", None)
        _complain(str(storage_error(error, place) or error))
        sys.exit(2)
    except KeyboardInterrupt:
        _complain(str(Stopped()))
        sys.exit(_STOPPED)
    sys.exit(0)
