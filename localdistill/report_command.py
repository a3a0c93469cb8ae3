"""The command ``report``, and the report that a run writes at its end."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from localdistill.errors import ConfigError
from localdistill.events import Callback, Notice


def add_commands(commands: Any) -> None:
    """Add ``report`` to ``commands`` (an argparse sub-parsers object)."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "report",
        help="write the HTML report of a run that is finished, at work or rejected",
        description="One page that needs nothing else. It only reads the run's directory, and may "
        "be made while the run is at work.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument("--out", type=Path, help="default: report.html in the run directory")
    parser.set_defaults(act=run_report_command)


def run_report_command(options: argparse.Namespace) -> None:
    """Write the report and say where it is.

    Raises:
        ConfigError: there is no run, or ``--out`` is a folder.
        OSError: it cannot be written.
    """
    from localdistill import report

    if options.out is not None and options.out.is_dir():
        raise ConfigError(f"--out {options.out}: a folder; name a file, as in report.html.")
    print(f"Report: {report.write(options.run, options.out)}")  # noqa: T201


def write_at_the_end(directory: Path, callback: Callback) -> Path | None:
    """Write the report of a run that has ended; None where that fails, which ``callback`` is told.

    Whatever goes wrong here, the run's result stands and has to be shown.
    """
    from localdistill import report

    try:
        return report.write(directory)
    except Exception as error:
        text = f"The report could not be written ({type(error).__name__}: {error})"
        again = f"`localdistill report {directory}` tries again"
        callback(Notice(level="warning", message=f"{text}; {again}."))
        return None
