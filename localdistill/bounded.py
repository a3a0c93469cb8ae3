"""Running what came out of a stranger's file, a chat template say, within bounds.

Jinja's sandbox keeps a template from the rest of the program, but not from running for ever or from
taking all memory: nested loops and strings that double are within its rules.
"""

from __future__ import annotations

import ctypes
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

SECONDS = 10.0
MEMORY = 1 << 30  # bytes that it may take beside what the process has


class OutOfBounds(Exception):
    """It took too long, or too much memory; the message says which."""


@contextmanager
def bounded(seconds: float | None = None, memory: int | None = None) -> Iterator[None]:
    """Run the block for at most ``seconds``, with ``memory`` more bytes of address space.

    Raises:
        OutOfBounds: that was not enough.
    """
    try:
        with (
            _address_space(MEMORY if memory is None else memory),
            _time(SECONDS if seconds is None else seconds),
        ):
            yield
    except (MemoryError, OverflowError, RecursionError) as error:
        what = str(error) or "too much memory is wanted"
        raise OutOfBounds(what) from None


@contextmanager
def _address_space(memory: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_bytes().split()[0])
    limit = pages * resource.getpagesize() + memory
    if soft != resource.RLIM_INFINITY:
        limit = min(limit, soft)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def _time(seconds: float) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        with _time_of_a_thread(seconds):
            yield
        return

    def over(number: int, at: FrameType | None) -> None:
        raise OutOfBounds(f"it takes longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _time_of_a_thread(seconds: float) -> Iterator[None]:
    """The same where there are no signals: an exception is set for this thread from another one."""
    over, lock = False, threading.Lock()
    this = ctypes.c_ulong(threading.get_ident())

    def end() -> None:
        with lock:
            if not over:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(this, ctypes.py_object(OutOfBounds))

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            over = True
        timer.cancel()
