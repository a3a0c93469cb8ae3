"""Whether a run in the tool's container still gets on: the image's health check.

    python3 -I -S health.py

Exit code 0: no run is at work below the folder of results, or each that is has told of something
lately. 1: one is at work and has been silent for too long; which one is printed. Standard library
only, and nothing of the package: it is started each minute.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# A step of training a large model on a CPU can take the better part of an hour.
_SILENT_MINUTES = 120.0
_TOLD_IN = ("events.jsonl", "log.txt")
_TAIL = 4 << 20  # bytes of the events that are looked at: about a day of nothing but usage
_LOCK = "run.lock"  # see run_dir.py


def main() -> int:
    """Look at the runs; the exit code."""
    folder = Path(os.environ.get("LOCALDISTILL_HOME") or "/data")
    limit = float(os.environ.get("LOCALDISTILL_SILENT_MINUTES") or _SILENT_MINUTES)
    silent = [(run, minutes) for run, minutes in silences(folder) if minutes > limit]
    for run, minutes in silent:
        print(f"{run}: silent for {minutes:.0f} minutes")  # noqa: T201
    return 1 if silent else 0


def silences(folder: Path) -> Iterator[tuple[Path, float]]:
    """Each run at work in ``folder`` or one below it, and for how many minutes it told nothing."""
    held = held_locks(Path("/proc/locks").read_text(encoding="ascii"))
    for lock in (*folder.glob(_LOCK), *folder.glob(f"*/{_LOCK}")):
        if lock.stat().st_ino in held:
            told = [
                _told(path) if name == "events.jsonl" else path.stat().st_mtime
                for name in _TOLD_IN
                if (path := lock.parent / name).exists()
            ]
            began = lock.stat().st_mtime
            yield lock.parent, (time.time() - max([began, *told])) / 60


def _told(path: Path) -> float:
    """When the events at ``path`` last told of work, Unix time in seconds.

    What the machine is using is told by a thread of its own, however long a stage is silent. A run
    that is paused is as it should be; the unit of work that was under way may have told of its end
    after that.
    """
    last, told = path.stat().st_mtime, None
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        for line in reversed(file.read().splitlines()):
            if told is not None and b'"wish"' not in line and b'"run_started"' not in line:
                continue
            try:
                row = json.loads(line)
                at = float(row["at"])
                kind, wish = row["event"]["kind"], row["event"].get("wish")
            except (ValueError, LookupError, TypeError, AttributeError):
                continue
            if wish == "pause":
                return time.time()
            last = at if told is None else last
            if kind != "usage" and told is None:
                told = at
            if wish is not None or kind == "run_started":
                break
    return last if told is None else told  # ``last``: the oldest, nothing has been told since


def held_locks(text: str) -> set[int]:
    """The inodes that are locked for writing by ``flock``, of what /proc/locks says.

    A line is ``1: FLOCK ADVISORY WRITE 42 08:01:1234 0 EOF``, with ``->`` after the number for one
    that waits. The device is not looked at: some file systems tell another one to ``stat``.
    """
    found = set()
    for line in text.splitlines():
        fields = line.split()
        if fields[1:4] == ["FLOCK", "ADVISORY", "WRITE"]:
            found.add(int(fields[5].rpartition(":")[2]))
    return found


if __name__ == "__main__":
    sys.exit(main())
