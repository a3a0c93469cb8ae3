"""How a stage at work is paused and stopped by its run: at the end of a unit of work, in order.

The run tells its wish in a page of memory that it shares with its stages (a pause), and by SIGTERM
(a stop). A stage looks at both between two units: a decoding step, a verdict, an optimiser step. A
part of it that does not look is ended by SIGTERM at once, which is safe, as it is at any moment.

Signals that stop whole processes would do harm: while a tester stands still, the programs that it
tests run on, and would have run out of time when it goes on.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import threading
import time
from collections.abc import Iterator

from localdistill.errors import Stopped

_SIZE = 1  # byte: 1 while the run is paused
_POLL_S = 0.1


class Page:
    """The run's end: a descriptor for stages to inherit, and what is written there."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("localdistill-control", os.MFD_CLOEXEC)
        os.ftruncate(self.descriptor, _SIZE)
        self._page = mmap.mmap(self.descriptor, _SIZE)

    @property
    def paused(self) -> bool:
        """Whether stages are to stand still."""
        return self._page[0] == 1

    @paused.setter
    def paused(self, wish: bool) -> None:
        self._page[0] = int(wish)


class _Stage:
    """The stage's end; there is one in a process."""

    def __init__(self) -> None:
        self.page: mmap.mmap | None = None
        self.stop = threading.Event()
        self.paused_s = 0.0
        self._lock = threading.Lock()

    def is_paused(self) -> bool:
        return self.page is not None and self.page[0] == 1

    def wait(self) -> None:
        """Stand still while the run is paused; of several threads the time counts once."""
        if not self.is_paused():
            return
        began = time.monotonic()
        with self._lock:
            waited_for = time.monotonic() - began  # for another thread, which has counted it
            while self.is_paused() and not self.stop.is_set():
                time.sleep(_POLL_S)
            self.paused_s += time.monotonic() - began - waited_for


_stage = _Stage()


def listen(descriptor: int) -> None:
    """Take the run's page: ``descriptor`` is that of ``Page``, inherited."""
    _stage.page = mmap.mmap(descriptor, _SIZE, mmap.MAP_SHARED, mmap.PROT_READ)
    os.close(descriptor)


@contextlib.contextmanager
def cooperative() -> Iterator[None]:
    """A part of a stage that looks at ``check`` or ``goes_on`` often; SIGTERM then waits for it.

    In a process that is no stage's, and in any but its main thread, this does nothing.
    """
    if _stage.page is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: _stage.stop.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def check() -> None:
    """Between two units of work: wait while the run is paused.

    Raises:
        Stopped: the run is to end here.
    """
    if not goes_on():
        raise Stopped


def goes_on() -> bool:
    """As ``check``; False where the work is to end."""
    _stage.wait()
    return not _stage.stop.is_set()


def paused_s() -> float:
    """Seconds that this stage has stood still so far, to be left out where speed is told."""
    return _stage.paused_s
