"""What a command on files leaves behind when it is refused: nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from localdistill.errors import UserError
from localdistill.folders import make_folder

# What stages write beside their output OUT, and that itself.
_SUFFIXES = (
    "", ".done", ".lock", ".log", ".partial", ".partial.quantised", ".partial.source", ".put_off",
    ".request.json", ".stopped.json", ".tmp", ".waves", ".work",
)  # fmt: skip


class Traces:
    """Takes away what was made beside ``out`` if the block ends in an error that a user can fix.

    Samples and verdicts stay: they are paid for, and the same command goes on from them. What was
    there before stays too; a log that was there loses what this call has added.
    """

    def __init__(self, out: Path) -> None:
        self._own = [out.with_name(out.name + suffix) for suffix in _SUFFIXES]
        self._log = out.with_name(out.name + ".log")
        self._out = out

    def __enter__(self) -> Traces:
        self._there = {path for path in self._own if os.path.lexists(path)}
        self._log_size = self._log.stat().st_size if self._log in self._there else 0
        self._folders = make_folder(self._out.parent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if isinstance(error, UserError | OSError) and not self._has_work():
            self._take_away()

    def _has_work(self) -> bool:
        """Whether this call has got as far as to write rows."""
        made = [path for path in self._own if path not in self._there]
        rows = [path for path in made if path == self._out and path.is_file()]
        rows += [file for path in made if path.is_dir() for file in path.rglob("*.jsonl")]
        return any(file.stat().st_size > 0 for file in rows)

    def _take_away(self) -> None:
        for path in self._own:
            if path in self._there:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        if self._log in self._there:
            with contextlib.suppress(OSError):
                os.truncate(self._log, self._log_size)
        for folder in self._folders:
            with contextlib.suppress(OSError):
                folder.rmdir()
