"""What the pit is given and what it gives back, for one candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from localdistill.sandbox.confine import Limits

TOTAL_FACTOR = 10  # all calls of a test function together, in units of the limit for one
# What a problem may ask for at most: a typing error in a problem file must not stop a run.
MAX_TIME_S, MAX_MEMORY_BYTES = 300.0, 8 << 30
# A kind of tests: calls whose results are told and not compared. And the status of one that came to
# their end, which is no verdict's: what was only looked at has passed nothing.
OBSERVE, OBSERVED = "observe", "observed"


@dataclass(frozen=True)
class Task:
    """One candidate with its tests, as it comes from the run's process.

    The limits count from the moment at which the candidate is asked, so waiting for a slot is free.
    """

    code: str
    tests: dict[str, Any] | None
    entry_point: str | None
    time_limit_s: float
    memory_bytes: int
    confirm: bool = False  # run a pass again, with another hash seed
    # Whether tests may use names other than the entry point from the candidate, who can then lie.
    names_from_candidate: bool = False

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
    results: list[str] | None = None  # of what was observed: a digest for each call
