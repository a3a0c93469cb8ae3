"""How many threads of this process run at the same time without getting into each other's way."""

from __future__ import annotations

import math
import os
from pathlib import Path

import psutil

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_OLD_QUOTA = Path("/sys/fs/cgroup/cpu")


def usable_cores() -> int:
    """Physical cores, but not more than this process may run on.

    Two threads on the two halves of one core wait for each other in arithmetic. A container's share
    (``docker run --cpus``) counts, rounded up.
    """
    allowed = len(os.sched_getaffinity(0))
    physical = psutil.cpu_count(logical=False) or allowed
    return max(1, min(physical, allowed, quota() or physical))


def quota(new: Path = _QUOTA, old: Path = _OLD_QUOTA) -> int | None:
    """Processors that the control group grants, rounded up; None where it sets no bound.

    Formats: ``cpu.max`` of Documentation/admin-guide/cgroup-v2.rst, ``cpu.cfs_quota_us`` and
    ``cpu.cfs_period_us`` of scheduler/sched-bwc.rst of the kernel.
    """
    try:
        given, period = new.read_text(encoding="utf-8").split()[:2]
    except (OSError, ValueError):
        try:
            given = (old / "cpu.cfs_quota_us").read_text(encoding="utf-8").strip()
            period = (old / "cpu.cfs_period_us").read_text(encoding="utf-8").strip()
        except OSError:
            return None
    try:
        share = int(given) / int(period)
    except (ValueError, ZeroDivisionError):  # "max": no bound
        return None
    return math.ceil(share) if share > 0 else None
