"""Two stages at work at the same time: one draws completions, the other tests them as they come."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from localdistill.errors import LocaldistillError, WriterGone
from localdistill.events import Callback, Event, StageStarted
from localdistill.stages.generate import GenerateRequest
from localdistill.stages.process import run_stage
from localdistill.stages.verify import VerifyRequest

Started = Callable[[subprocess.Popen[bytes]], None]

# How much testing gives way to drawing. The forward passes use all cores and wait for the slowest
# of their threads, so a test beside one costs more than its own time; between passes there is room.
_NICE = 10


def generate_and_verify(
    generate: GenerateRequest,
    verify: VerifyRequest,
    callback: Callback,
    log: Path,
    inherit: Sequence[int] = (),
    started: Started | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run both in processes of their own; returns their summaries.

    Each is handed to ``started``, so that another thread can end it. ``verify`` begins when
    ``generate`` has said that it began, and holds the lock by which the
    other knows that it is at work. An error in either ends both, as does an interrupt. ``callback``
    is called from two threads, but never by both at a time.

    Raises:
        LocaldistillError: see ``run_stage``; of two errors the one that was not for the other.
    """
    told = _OneAtATime(callback)
    beside = _Beside(verify, told, log, inherit, started)

    def forward(event: Event, /) -> None:
        told(event)
        if isinstance(event, StageStarted):
            beside.begin(event.total)

    def took(child: subprocess.Popen[bytes]) -> None:
        beside.watch(child)
        if started is not None:
            started(child)

    try:
        drawn = run_stage("generate", generate, forward, log, inherit, started=took)
    except LocaldistillError as error:
        if isinstance(error, WriterGone):
            beside.wait()  # it is testing that ended first: why?
        beside.end()
        if beside.error is not None and not isinstance(beside.error, WriterGone):
            raise beside.error from None  # drawing was ended for that
        raise
    except BaseException:  # an interrupt
        beside.end()
        raise
    return drawn, beside.result()


class _OneAtATime:
    def __init__(self, callback: Callback) -> None:
        self._callback = callback
        self._lock = threading.Lock()

    def __call__(self, event: Event, /) -> None:
        with self._lock:
            self._callback(event)


class _Beside:
    """``verify`` in a thread of this process, which runs it in a process of its own."""

    def __init__(
        self,
        request: VerifyRequest,
        callback: Callback,
        log: Path,
        inherit: Sequence[int],
        started: Started | None,
    ) -> None:
        self.error: BaseException | None = None
        self._request = request
        self._callback = callback
        self._log = log
        self._inherit = inherit
        self._started = started
        self._other: subprocess.Popen[bytes] | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._summary: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="verify")

    def watch(self, other: subprocess.Popen[bytes]) -> None:
        """Take the process that is to be ended if this stage fails."""
        self._other = other

    def begin(self, expected: int | None) -> None:
        """Start to test; ``expected`` completions will come, if that is known."""
        self._request = self._request.model_copy(update={"expected": expected})
        self._thread.start()

    def _run(self) -> None:
        try:
            self._summary = run_stage(
                "verify",
                self._request,
                self._callback,
                self._log,
                self._inherit,
                nice=_NICE,
                started=self._take,
            )
        except BaseException as error:
            with self._lock:
                if self._over:  # it was ended on purpose
                    return
                self.error = error
            # Else the other has ended, or is about to say why it ends.
            if self._other is not None and not isinstance(error, WriterGone):
                self._other.terminate()

    def _take(self, child: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._child = child
            if self._over:
                child.terminate()
        if self._started is not None:
            self._started(child)

    def result(self) -> dict[str, Any]:
        """Wait for its end and return its summary."""
        try:
            self.wait()
        except BaseException:  # an interrupt
            self.end()
            raise
        if self.error is not None:
            raise self.error
        return self._summary

    def wait(self) -> None:
        """Wait for its end."""
        if self._thread.ident is not None:  # it was begun
            self._thread.join()

    def end(self) -> None:
        """Stop testing and wait until it has stopped."""
        with self._lock:
            self._over = True
            if self._child is not None:
                with contextlib.suppress(ProcessLookupError):
                    self._child.terminate()
        self.wait()
