"""What *verify* says while it works: how far it has got, and what candidates could not import."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from localdistill import control
from localdistill.events import Callback, Notice, Scalar, StageProgress
from localdistill.types import Verdict

_PROGRESS_S = 0.25  # least time between two reports
_MODULES = 5  # in a notice


class Progress:
    """Reports now and then how far the work has got.

    Args:
        counts: verdicts by status; the work goes on counting in it.
        callback: who is told.
        total: completions in the end, as far as known; None: as told at the start.
    """

    def __init__(
        self, counts: Counter[str], callback: Callback, total: Callable[[], int | None]
    ) -> None:
        self._total = total
        self._counts = counts
        self._callback = callback
        self._began = self._reported = time.monotonic()
        self._paused_s = control.paused_s()
        self._first = counts.total()

    def tick(self) -> None:
        """One verdict more has come in."""
        if time.monotonic() - self._reported >= _PROGRESS_S:
            self.report()

    def report(self) -> None:
        """Report now."""
        self._reported = time.monotonic()
        counts = self._counts
        done = counts.total()
        paused = control.paused_s() - self._paused_s
        rate = (done - self._first) / max(self._reported - self._began - paused, 1e-9)
        info: dict[str, Scalar] = {
            "passed": counts["passed"],
            "failed": done - counts["passed"] - counts["timeout"],
            "timeouts": counts["timeout"],
            "programs/s": round(rate, 1),
        }
        self._callback(StageProgress(stage="verify", done=done, total=self._total(), info=info))


class MissingModules:
    """Counts the programs that failed because candidates cannot import a module here."""

    def __init__(self) -> None:
        self._programs: Counter[str] = Counter()

    def look_at(self, verdict: Verdict) -> None:
        """Count one verdict, if that was its reason."""
        from localdistill.sandbox.importable import missing_module

        if verdict.status == "runtime_error" and (name := missing_module(verdict.detail)):
            self._programs[name] += 1

    def notice(self) -> Notice | None:
        """What to tell; None if there were none."""
        if not self._programs:
            return None
        shown = [f"{name} ({count})" for name, count in self._programs.most_common(_MODULES)]
        shown += ["..."] if len(self._programs) > _MODULES else []
        count = self._programs.total()
        message = f"{count} programs failed because candidates cannot import {', '.join(shown)}"
        return Notice(
            message=f"{message}; docs/sandbox.md says what they can, and how to offer numpy."
        )
