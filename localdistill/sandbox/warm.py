"""The warm parent of a slot: preloaded, forks one confined child after the other, and ends it.

It never sees a program, an argument or a test: what a child works on comes to the child over a
channel that the pit hands through here. So there is nothing in its memory that a child could
inherit. Between two children nothing is left of the first: no process, no file, no shared memory.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from localdistill.sandbox import kernel
from localdistill.sandbox.confine import Limits, confine, prepare
from localdistill.sandbox.place import Place, acting_as, enter, wipe
from localdistill.sandbox.sampling import Sampler, become_watcher

START, KILL, OVER, ENDED, READY = b"S", b"K", b"O", b"E", b"R"
# Of START: memory in bytes, CPU in seconds, whether it is sampled.
# Of ENDED: wait status, CPU seconds, why.
start_format = struct.Struct("<cQI?")
ended_format = struct.Struct("<cid10s")

_FIRST_SAMPLE_S, _SAMPLE_EVERY_S = 0.03, 0.02
_ANY_CHILD = 0x40000000  # __WALL: also those that send no signal when they end


@dataclass
class _Run:
    """The child that is running."""

    main: int
    pidfd: int
    limits: Limits


class WarmParent:
    """Serves START and KILL on ``control`` until it is closed."""

    def __init__(self, place: Place, control: socket.socket, body: Callable[[int], None]) -> None:
        self._place = place
        self._control = control
        self._body = body  # what runs in a child, given its channel

    def serve(self) -> None:
        """Prepare, say READY, and work until the pit is gone."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        enter(self._place)
        # A run that was killed together with its pit may have left something.
        self._kill_all()
        self._clear()
        ruleset = prepare(self._place)
        gc.collect()
        gc.freeze()  # children then do not copy the pages of what is loaded by collecting garbage
        self._control.send(READY)
        while True:
            message, descriptors, _, _ = socket.recv_fds(self._control, 64, 4)
            if not message:
                return
            if message[:1] == START:
                run = self._start(Limits(*start_format.unpack(message)[1:]), descriptors, ruleset)
                why = self._watch(run)
                with contextlib.suppress(BrokenPipeError):  # the pit is gone: clear, then go
                    self._control.send(OVER)  # clearing up may take longer than the run
                ended = self._end(run, why)
                with contextlib.suppress(BrokenPipeError):
                    self._control.send(ended)

    def _start(self, limits: Limits, descriptors: list[int], ruleset: int) -> _Run:
        parent = os.getpid()
        main = kernel.fork()
        if main == 0:
            try:
                self._child(limits, descriptors, ruleset, parent)
            except BaseException as error:
                sys.stderr.write(f"child: {type(error).__name__}: {error}\n")
                sys.stderr.flush()
            finally:
                os._exit(71)
        for descriptor in descriptors:
            os.close(descriptor)
        return _Run(main, os.pidfd_open(main), limits)

    def _child(self, limits: Limits, given: list[int], ruleset: int, parent: int) -> None:
        channel, *standard = given
        if not standard:
            null = os.open("/dev/null", os.O_RDWR)
            standard = [null, null]
        os.dup2(standard[0], 0)
        os.dup2(standard[1], 1)
        confine(self._place, ruleset, limits, parent, channel)
        # Until here an error could be reported; a candidate's own are nobody's to read.
        null = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(null, 2)
        os.close(null)
        os.set_inheritable(channel, False)
        self._body(channel)

    def _watch(self, run: _Run) -> str:
        """Wait until the child ends or must end; returns why."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(run.pidfd, select.POLLIN)
        sampler = Sampler(self._place)
        # Most children have ended by then and are never sampled.
        wait_ms = _FIRST_SAMPLE_S * 1000 if run.limits.sampled else None
        while True:
            ready = dict(poll.poll(wait_ms))
            if run.pidfd in ready:
                return "exit"
            if self._control.fileno() in ready:
                self._control.recv(64)  # KILL, or nothing: the pit is gone
                return "killed"
            if wait_ms != _SAMPLE_EVERY_S * 1000:
                sampler.let_go()
            wait_ms = _SAMPLE_EVERY_S * 1000
            if sampler.files_overflow():
                return "disk"
            if sampler.memory(run.limits.memory_bytes) > run.limits.memory_bytes:
                return "memory"

    def _end(self, run: _Run, why: str) -> bytes:
        with acting_as(self._place):
            os.kill(run.main, signal.SIGKILL)  # not yet waited for: the number is still its own
        _, status, usage = os.wait4(run.main, 0)
        os.close(run.pidfd)
        self._clear()
        cpu = usage.ru_utime + usage.ru_stime
        return ended_format.pack(ENDED, status, cpu, why.encode())

    def _clear(self) -> None:
        """Leave no process and no file of the slot."""
        while self._any_left():
            self._kill_all()
        wipe(self._place)

    def _any_left(self) -> bool:
        """Reap what has ended; all descendants are our children as soon as their parents die."""
        try:
            while True:
                pid, _ = os.waitpid(-1, os.WNOHANG | _ANY_CHILD)
                if pid == 0:
                    return True
        except ChildProcessError:
            return False

    def _kill_all(self) -> None:
        if self._place.namespaces:
            # As process 1 of the slot's namespace: everything in it but ourselves.
            if os.getpid() != 1:  # anywhere else this would end every process of the machine
                raise RuntimeError("a warm parent is not process 1 of its namespace")
            _kill_every_process()
        else:
            killer = os.fork()
            if killer == 0:
                become_watcher(self._place)
                _kill_every_process()
                os._exit(0)
            os.waitpid(killer, 0)
        time.sleep(0.0005)


def _kill_every_process() -> None:
    try:
        os.kill(-1, signal.SIGKILL)
    except OSError as error:
        if error.errno != errno.ESRCH:
            raise
