"""Takes more of the machine than it may, up to a bound, so that no machine is worn down by it."""

from __future__ import annotations

import os
import time
from pathlib import Path

_HELD_S = 1.0  # how long it keeps what it took: whoever looks now and then is to see it
_MIB = 1 << 20


class GotThrough(Exception):
    """What nothing has stopped."""


def processes(most: int, allowed: int) -> str:
    """Start ``most`` processes."""
    reading, writing = os.pipe()
    started = 0
    while started < most:
        try:
            child = os.fork()
        except OSError:
            break
        if child == 0:
            os.close(writing)
            os.read(reading, 1)  # until the first one is gone
            os._exit(0)
        started += 1
    if started > allowed:
        time.sleep(_HELD_S)
        raise GotThrough(f"has {started} processes")
    return "held"


def memory(mebibytes: int) -> str:
    """Take memory in one process."""
    hoard = []
    for _ in range(mebibytes // 8):
        hoard.append(b"x" * (8 * _MIB))
    time.sleep(_HELD_S)
    raise GotThrough(f"holds {mebibytes} MiB of memory")


def spread(count: int, mebibytes: int) -> str:
    """Take memory in ``count`` processes, none of which has much of it."""
    ready, done = os.pipe()
    for _ in range(count):
        if os.fork() == 0:
            hoard = b"x" * (mebibytes * _MIB)
            os.write(done, hoard[:1])
            time.sleep(10 * _HELD_S)
            os._exit(0)
    got = 0
    while got < count:
        got += len(os.read(ready, count))
    time.sleep(_HELD_S)
    raise GotThrough(f"holds {count * mebibytes} MiB of memory in {count} processes")


def fill(folder: str, mebibytes: int) -> str:
    """Fill a folder with bytes."""
    piece = b"x" * _MIB
    for number in range(mebibytes):
        try:
            Path(folder, f"fill{number}").write_bytes(piece)
        except OSError:
            return "held"
    time.sleep(_HELD_S)
    _clear_up(folder, "fill", mebibytes)
    raise GotThrough(f"has written {mebibytes} MiB to {_name(folder)}")


def nameless(folder: str, mebibytes: int) -> str:
    """Fill a folder with files that have no name any more, so that no list shows them."""
    piece = b"x" * _MIB
    held = []
    try:
        for number in range(mebibytes // 32):
            path = Path(folder, f"gone{number}")
            held.append(path.open("wb", buffering=0))
            path.unlink()
            for _ in range(32):
                held[-1].write(piece)
    except OSError:
        return "held"
    time.sleep(_HELD_S)
    raise GotThrough(f"holds {mebibytes} MiB in files without a name in {_name(folder)}")


def inodes(folder: str, count: int) -> str:
    """Make many empty files."""
    for number in range(count):
        try:
            Path(folder, f"n{number}").touch()
        except OSError:
            return "held"
    time.sleep(_HELD_S)
    _clear_up(folder, "n", count)
    raise GotThrough(f"has made {count} files in {_name(folder)}")


def _clear_up(folder: str, name: str, count: int) -> None:
    """Take away what nothing has stopped, and nothing else may take away."""
    for number in range(count):
        Path(folder, f"{name}{number}").unlink(missing_ok=True)


def _name(folder: str) -> str:
    return "its box" if folder == "." else folder
