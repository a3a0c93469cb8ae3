"""A lock by which processes exclude each other: held on an open file, and given back by the kernel.

A lock file may be taken away by who holds it. Who had opened it before then locks a file that has
no name any more, and the next one a new file of that name: both would hold "the lock".
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

# How long a stage's process that has lost its run may need to die: the kernel kills it.
ORPHAN_WAIT_S = 60.0

_POLL_S = 0.05


def take_within(path: Path, patience_s: float) -> int | None:
    """As ``take``, but wait so many seconds for another process to give it back."""
    deadline = time.monotonic() + patience_s
    while (descriptor := take(path)) is None and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return descriptor


def is_held(path: Path) -> bool:
    """Whether another process holds the lock now; it is tried, shared, for a moment."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def take(path: Path) -> int | None:
    """Lock ``path``, made if need be; a descriptor that holds it until it is closed.

    None: another process has it.

    Raises:
        OSError: it cannot be opened.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                held, descriptor = descriptor, -1
                return held
        except BlockingIOError:
            return None
        except FileNotFoundError:
            pass  # its last owner has taken it away since we opened it
        finally:
            if descriptor >= 0:
                os.close(descriptor)
