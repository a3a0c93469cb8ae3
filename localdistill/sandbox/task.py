"""What the pit is given and what it gives back, for one candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from localdistill.sandbox.confine import Limits

TOTAL_FACTOR = 10  # all calls of a test function together, in units of the limit for one


@dataclass(frozen=True)
class Task:
    """One candidate with its tests, as it comes from the run's process."""

    code: str
    tests: dict[str, Any] | None
    entry_point: str | None
    time_limit_s: float
    memory_bytes: int

    @property
    def limits(self) -> Limits:
        """The candidate's; its processor time is bounded by the deadline long before this."""
        return Limits(self.memory_bytes, int(self.time_limit_s * TOTAL_FACTOR) + 5)


@dataclass
class Grade:
    """The result, with seconds that the candidate took, by the clock and of processor."""

    status: str
    detail: str = ""
    busy_s: float = 0.0
    cpu_s: float = 0.0
