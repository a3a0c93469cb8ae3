"""The steps of a warm parent in Python."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys

from localdistill.sandbox import kernel
from localdistill.sandbox.confine import Limits, confine, go_first
from localdistill.sandbox.place import Place, acting_as, is_clean
from localdistill.sandbox.sampling import used_bytes
from localdistill.sandbox.steps import (
    CHILD,
    FIRST_LOOK_MS,
    GONE,
    LEFT,
    LOOK,
    OVER,
    START,
    Run,
    report,
    start_format,
)

_ANY_CHILD = 0x40000000  # __WALL: also those that send no signal when they end


class PlainRun:
    """See ``steps.Run``."""

    channel = child = pidfd = memory_bytes = status = killed = 0
    used_s = 0.0


class PlainSteps:
    """See ``steps.Steps``."""

    def __init__(
        self, place: Place, control: int, ruleset: int, *, candidates: bool = False
    ) -> None:
        import socket  # a warm parent of compiled steps does without

        self._place = place
        self._control = socket.socket(fileno=control)
        self._receive = socket.recv_fds
        self._ruleset = ruleset
        self._candidates = candidates
        self._run = PlainRun()
        self._used_before: list[int] = []

    @property
    def run(self) -> Run:
        """See ``steps.Steps``."""
        return self._run

    def used_before(self) -> list[int]:
        """See ``steps.Steps``."""
        return self._used_before

    def serve(self) -> int:
        """See ``steps.Steps``."""
        while True:
            message, descriptors = b"", list[int]()
            with contextlib.suppress(ConnectionError):  # gone, with messages of ours unread
                message, descriptors, _, _ = self._receive(self._control, 64, 4)
            if not message:
                return GONE
            if message[:1] != START:  # a KILL for a run that was over already
                continue
            limits = Limits(*start_format.unpack(message)[1:])
            self._run.memory_bytes = limits.memory_bytes
            if self._start(limits, descriptors):
                return CHILD
            if not self._wait(limits):
                return LOOK
            self.end()
            if not (nobody_left() and is_clean(self._place)):
                return LEFT
            with contextlib.suppress(ConnectionError):  # the pit is gone
                why = "killed" if self._run.killed else "exit"
                self._control.send(report(self._run.status, self._run.used_s, why))

    def _start(self, limits: Limits, descriptors: list[int]) -> bool:
        """Fork; True in the child, once it is confined."""
        self._used_before = used_bytes(self._place)
        parent = os.getpid()
        self._run.child = kernel.fork()
        if self._run.child == 0:
            try:
                self._confine(limits, descriptors, parent)
                return True
            except BaseException as error:
                sys.stderr.write(f"child: {type(error).__name__}: {error}\n")
                sys.stderr.flush()
                os._exit(71)
        for descriptor in descriptors:
            os.close(descriptor)
        self._run.pidfd = os.pidfd_open(self._run.child)
        return False

    def _confine(self, limits: Limits, given: list[int], parent: int) -> None:
        self._run.channel, *standard = given
        if not standard:
            null = os.open("/dev/null", os.O_RDWR)
            standard = [null, null]
        os.dup2(standard[0], 0)
        os.dup2(standard[1], 1)
        if self._candidates:
            go_first()
        confine(self._place, self._ruleset, limits, parent, self._run.channel)
        # Until here an error could be reported; a candidate's own are nobody's to read.
        null = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(null, 2)
        os.close(null)
        os.set_inheritable(self._run.channel, False)

    def _wait(self, limits: Limits) -> bool:
        """Wait until the run ends or must end; False when it is to be looked at before."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._run.pidfd, select.POLLIN)
        ready = dict(poll.poll(FIRST_LOOK_MS if limits.sampled else None))
        self._run.killed = bool(ready) and self._run.pidfd not in ready
        if self._run.killed:
            with contextlib.suppress(ConnectionError):
                self._control.recv(64)  # KILL, or nothing: the pit is gone
        return bool(ready)

    def end(self) -> None:
        """End the child, if it has not ended, and reap it."""
        with contextlib.suppress(ConnectionError):
            self._control.send(OVER)  # clearing up may take longer than the run
        with acting_as(self._place):
            os.kill(
                self._run.child, signal.SIGKILL
            )  # not yet waited for: the number is still its own
        _, self._run.status, usage = os.wait4(self._run.child, 0)
        os.close(self._run.pidfd)
        self._run.used_s = usage.ru_utime + usage.ru_stime


def nobody_left() -> bool:
    """Reap what has ended; whether nobody is left then.

    All descendants are our children as soon as their parents die.
    """
    try:
        while os.waitpid(-1, os.WNOHANG | _ANY_CHILD)[0]:
            pass
    except ChildProcessError:
        return True
    return False
