"""Running what came out of a stranger's file, a chat template say, within bounds.

Jinja's sandbox keeps a template from the rest of the program, but not from running for ever or from
taking all memory: nested loops and strings that double are within its rules.

There are two bounds of time. At the first an exception is raised, which Python does between two of
its own steps. One step can last for ever, a comparison of nested lists say, and hears no signal
meanwhile; so at the second bound, well behind the first, the kernel ends the process.
"""

from __future__ import annotations

import ctypes
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

SECONDS = 10.0  # of its thread's processor time
MEMORY = 1 << 30  # bytes that it may take beside what the process has
KILL_AFTER = 10.0  # seconds more, and the process is ended
KILLED_BY = signal.SIGPROF  # which ends a process without a core file
_LOOK_S = 0.01  # between two looks at the clock, at least
_TOO_LONG = "it takes more than {:g} s of processor time"
_libc = ctypes.CDLL(None, use_errno=True)
# Before version 2.34 of glibc its timers were in a library of their own.
_timers = _libc if hasattr(_libc, "timer_create") else ctypes.CDLL("librt.so.1", use_errno=True)


class OutOfBounds(Exception):
    """It took too long, or too much memory; the message says which."""


class _TimeIsUp(BaseException):
    """Raised inside the block. No ``Exception``: Jinja swallows those of constant expressions."""


@contextmanager
def bounded(seconds: float | None = None, memory: int | None = None) -> Iterator[None]:
    """Run the block for ``seconds`` of processor time at most, with ``memory`` more bytes of room.

    Room is address space. Where the block hears nothing of its end, this process is ended by the
    signal ``KILLED_BY``, ``KILL_AFTER`` seconds of processor time later.

    Raises:
        OutOfBounds: that was not enough.
    """
    seconds = SECONDS if seconds is None else seconds
    try:
        with (
            _address_space(MEMORY if memory is None else memory),
            _end_of_process(seconds + KILL_AFTER),
            _time(seconds),
        ):
            yield
    except _TimeIsUp:
        raise OutOfBounds(_TOO_LONG.format(seconds)) from None
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


class _Event(ctypes.Structure):
    """``struct sigevent``, as far as a signal needs it."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),  # 0: SIGEV_SIGNAL
        ("rest", ctypes.c_char * 48),
    )


class _Span(ctypes.Structure):
    """``struct itimerspec``: how often from then on (0: not again), and when first."""

    _fields_ = tuple(
        (name, ctypes.c_long) for name in ("again_s", "again_ns", "first_s", "first_ns")
    )


@contextmanager
def _end_of_process(seconds: float) -> Iterator[None]:
    """After ``seconds`` of this thread's processor time the kernel ends the process.

    Not by RLIMIT_CPU or ITIMER_PROF: those count the threads of llama.cpp and PyTorch too, which
    spin for a while after their work.
    """
    timer = ctypes.c_void_p()
    event = _Event(signal=KILLED_BY)
    clock = time.CLOCK_THREAD_CPUTIME_ID
    if _timers.timer_create(clock, ctypes.byref(event), ctypes.byref(timer)):
        raise OSError(ctypes.get_errno(), "timer_create failed")
    whole = int(seconds)
    span = _Span(first_s=whole, first_ns=int((seconds - whole) * 1e9))
    try:
        if _timers.timer_settime(timer, 0, ctypes.byref(span), None):
            raise OSError(ctypes.get_errno(), "timer_settime failed")
        yield
    finally:
        _timers.timer_delete(timer)


@contextmanager
def _time(seconds: float) -> Iterator[None]:
    """What counts is this thread's own processor time.

    A machine that stands still meanwhile (a container that is paused, a laptop that sleeps), or has
    other work, says nothing of what runs here.
    """
    if threading.current_thread() is not threading.main_thread():
        with _time_of_a_thread(seconds):
            yield
        return
    end, done = _used() + seconds, False

    def look(number: int, at: FrameType | None) -> None:
        if done:
            return
        left = end - _used()
        if left <= 0:
            raise _TimeIsUp
        signal.setitimer(signal.ITIMER_REAL, max(left, _LOOK_S))

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, _LOOK_S))
    try:
        yield
    finally:
        done = True  # a signal that comes now must not set the clock again
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _time_of_a_thread(seconds: float) -> Iterator[None]:
    """The same where there are no signals: an exception is set for this thread from another one."""
    over, lock = threading.Event(), threading.Lock()
    this = threading.get_ident()
    end = _used(this) + seconds

    def watch() -> None:
        left = seconds
        while not over.wait(max(left, _LOOK_S)):
            with lock:
                if over.is_set():
                    return
                left = end - _used(this)
                if left <= 0:
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(this), ctypes.py_object(_TimeIsUp)
                    )
                    return

    watcher = threading.Thread(target=watch, name="bounded", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        with lock:
            over.set()


def _used(thread: int | None = None) -> float:
    """Seconds of processor time that a living thread has taken, this one if it is not named."""
    clock = time.CLOCK_THREAD_CPUTIME_ID
    return time.clock_gettime(clock if thread is None else time.pthread_getcpuclockid(thread))
