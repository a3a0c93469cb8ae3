"""What a check of the parity gate found, and the file in which all findings are kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from localdistill.durable import write_atomically
from localdistill.errors import ConfigError, ExportRejected
from localdistill.events import Scalar


class Check(BaseModel):
    """One check: what was measured, what it is held against, and what follows."""

    model_config = ConfigDict(frozen=True)

    name: str
    passed: bool | None  # None: it could not be made, or there is nothing to hold it against
    figures: dict[str, Scalar] = {}
    bound: str = ""  # what the figures must keep
    reason: str = ""  # why it failed, or was not made: one sentence for a person


class Parity(BaseModel):
    """All checks of one exported file (``parity.json``)."""

    model_config = ConfigDict(frozen=True)

    file: str
    passed: bool
    checks: list[Check]

    @property
    def failed(self) -> Check | None:
        """The first check that did not pass."""
        return next((check for check in self.checks if check.passed is False), None)


class Findings:
    """Collects checks; a failed one is kept and ends the export.

    ``path`` is where the findings are written, at each new one; unless ``fresh``, those that are
    there are the findings.
    """

    def __init__(self, file: Path, path: Path, fresh: bool = True) -> None:
        self._file, self._path = file, path
        self.checks: list[Check] = []
        if fresh:
            path.unlink(missing_ok=True)
        elif path.is_file():
            self.checks = Parity.model_validate_json(path.read_bytes()).checks

    def add(self, *checks: Check) -> None:
        """Keep what was found.

        Raises:
            ExportRejected: one has failed; the message names the first.
        """
        self.checks += checks
        failed = next((check for check in checks if check.passed is False), None)
        found = Parity(file=self._file.name, passed=failed is None, checks=self.checks)
        write_atomically(self._path, found.model_dump_json(indent=2) + "\n")
        if failed is not None:
            raise ExportRejected(
                f"{self._file}: not published: the check {failed.name!r} failed: {failed.reason} "
                f"All figures are in {self._path}."
            )

    def discard(self) -> None:
        """Take the file of findings away."""
        self._path.unlink(missing_ok=True)

    def summary(self) -> dict[str, Scalar]:
        """The figures that a person wants to see."""
        shown: dict[str, Scalar] = {}
        for check in self.checks:
            shown |= {name: check.figures[name] for name in _SHOWN if name in check.figures}
        if self.checks:
            made = sum(check.passed is not None for check in self.checks)
            shown["parity"] = f"{made} checks passed"
            if made < len(self.checks):
                shown["parity"] = f"{shown['parity']}, {len(self.checks) - made} not made"
        return shown


def failed_check(path: Path) -> dict[str, Any] | None:
    """The check that failed according to ``parity.json`` at ``path``, if any."""
    if not path.is_file():
        return None
    failed = Parity.model_validate_json(path.read_bytes()).failed
    return failed.model_dump(mode="json") if failed is not None else None


def has_passed(path: Path) -> bool:
    """Whether there are findings at ``path``, and no check failed."""
    try:
        return Parity.model_validate_json(path.read_bytes()).passed
    except (OSError, ValidationError):
        return False


def refuse_foreign_findings(path: Path) -> None:
    """Make sure that what is at ``path``, and would be replaced, are findings of an export.

    Raises:
        ConfigError: it is something else.
    """
    if not os.path.lexists(path):
        return
    try:
        Parity.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        message = f"{path}: is there already, and not written by an export, whose findings would"
        raise ConfigError(f"{message} stand there. Name another --out, or move it away.") from error


# Of the figures in ``parity.json``, those that a stage's summary shows.
_SHOWN = ("KL to F16", "same first choice", "perplexity")


def parity_file(out: Path) -> Path:
    """Where the findings on the GGUF file ``out`` are kept."""
    return out.with_name("parity.json" if out.name == "model.gguf" else f"{out.stem}.parity.json")
