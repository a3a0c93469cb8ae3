"""What a warm parent does for every candidate: fork, confine, wait, reap, see that nothing is left.

There are two of it. ``steps_plain`` is the one to read; ``spawner.c`` does the same where it has
been compiled (``steps_compiled``), and copies far fewer pages of memory.
"""

from __future__ import annotations

import struct
from typing import Protocol

START, KILL, OVER, ENDED, READY = b"S", b"K", b"O", b"E", b"R"
# Of START: memory in bytes, CPU in seconds, whether it is sampled.
# Of ENDED: wait status, CPU seconds, why.
start_format = struct.Struct("<cQI?")
ended_format = struct.Struct("<cid10s")

# The answers of ``serve``. There is no pit any more; this process is the confined child; a run has
# gone on for a while and is to be looked at; a run is over and has left something.
GONE, CHILD, LOOK, LEFT = range(4)

FIRST_LOOK_MS = 30  # most children have ended by then, and are never looked at


class Run(Protocol):
    """One run of a child."""

    channel: int  # of a child, to the pit
    child: int  # its process number
    pidfd: int
    memory_bytes: int
    status: int  # as of waitpid, once it is over
    used_s: float  # processor time
    killed: int  # whether the pit asked for its end


class Steps(Protocol):
    """The steps of one warm parent, and the run that they are at."""

    @property
    def run(self) -> Run:
        """The run; in a child, the one that it is."""

    def serve(self) -> int:
        """Serve runs as long as they take the common course: GONE, CHILD, LOOK or LEFT.

        After LOOK the run is the caller's to watch, end, clear up after and report. After LEFT it
        has been reaped, and clearing up and the report are the caller's.

        Raises:
            OSError: a call failed that may not fail.
        """

    def end(self) -> None:
        """End the child, if it has not ended, and reap it."""

    def used_before(self) -> list[int]:
        """Bytes in use, before the run, in the file systems of box and shared memory."""


def report(status: int, used_s: float, why: str) -> bytes:
    """What the pit is told when a run is over and cleared up after."""
    return ended_format.pack(ENDED, status, used_s, why.encode())
