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
from pathlib import Path

from localdistill.sandbox import kernel
from localdistill.sandbox.confine import Limits, confine, prepare
from localdistill.sandbox.place import Place, enter, overfull, wipe

START, KILL, OVER, ENDED, READY = b"S", b"K", b"O", b"E", b"R"
# Of START: memory in bytes, CPU in seconds. Of ENDED: wait status, CPU seconds, why.
start_format = struct.Struct("<cQI")
ended_format = struct.Struct("<cid10s")

_FIRST_SAMPLE_S, _SAMPLE_EVERY_S = 0.03, 0.02
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class _Run:
    """The child that is running."""

    main: int
    pidfd: int
    limits: Limits
    started: float


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
                _, memory, cpu = start_format.unpack(message)
                run = self._start(Limits(memory, cpu), descriptors, ruleset)
                why = self._watch(run)
                with contextlib.suppress(BrokenPipeError):  # the pit is gone: clear, then go
                    self._control.send(OVER)  # clearing up may take longer than the run
                self._control.send(self._end(run, why))

    def _start(self, limits: Limits, descriptors: list[int], ruleset: int) -> _Run:
        parent = os.getpid()
        main = os.fork()
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
        return _Run(main, os.pidfd_open(main), limits, time.monotonic())

    def _child(self, limits: Limits, given: list[int], ruleset: int, parent: int) -> None:
        channel, *standard = given
        if not standard:
            null = os.open("/dev/null", os.O_RDWR)
            standard = [null, null]
        os.dup2(standard[0], 0)
        os.dup2(standard[1], 1)
        confine(self._place, ruleset, limits, parent, channel)
        # Until here an error could be reported; a candidate's own are nobody's to read.
        os.dup2(os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC), 2)
        os.set_inheritable(channel, False)
        self._body(channel)

    def _watch(self, run: _Run) -> str:
        """Wait until the child ends or must end; returns why."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(run.pidfd, select.POLLIN)
        wait_s = _FIRST_SAMPLE_S  # most children have ended by then and are never sampled
        while True:
            ready = dict(poll.poll(wait_s * 1000))
            if run.pidfd in ready:
                return "exit"
            if self._control.fileno() in ready:
                self._control.recv(64)  # KILL, or nothing: the pit is gone
                return "killed"
            wait_s = _SAMPLE_EVERY_S
            if self._memory(run.limits.memory_bytes) > run.limits.memory_bytes:
                return "memory"
            if not self._place.namespaces and overfull(self._place):
                return "disk"

    def _end(self, run: _Run, why: str) -> bytes:
        os.kill(run.main, signal.SIGKILL)  # not yet waited for, so the number is still its own
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
                pid, _ = os.waitpid(-1, os.WNOHANG)
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
                _become(self._place.uid)
                _kill_every_process()
                os._exit(0)
            os.waitpid(killer, 0)
        time.sleep(0.0005)

    def _members(self) -> list[str]:
        own = str(os.getpid())
        entries = os.listdir("/proc")  # noqa: PTH208
        numbers = [each for each in entries if each.isdigit() and each != own]
        if self._place.namespaces:
            return numbers
        return [each for each in numbers if _owner(each) == self._place.uid]

    def _memory(self, limit: int) -> int:
        """Bytes of memory of all processes of the slot."""
        members = self._members()
        total = sum(map(_resident, members))
        if total > limit:  # looked at again with shared pages counted once, which costs more
            total = self._proportional(members, limit)
        return total

    def _proportional(self, members: list[str], limit: int) -> int:
        """The same with each shared page divided by its users; over ``limit`` where that fails."""
        if self._place.namespaces:
            return sum(map(_proportional, members))
        # Without the capability to trace, only a process of the same user may read this.
        reading, writing = os.pipe()
        reader = os.fork()
        if reader == 0:
            _become(self._place.uid)
            os.write(writing, str(sum(map(_proportional, members))).encode())
            os._exit(0)
        os.close(writing)
        os.waitpid(reader, 0)
        text = os.read(reading, 64)
        os.close(reading)
        return int(text) if text.isdigit() else limit + 1


def _become(uid: int | None) -> None:
    """Turn this fork into a process of the slot's user; where that fails, end it."""
    try:
        if uid is None:
            raise ValueError("there is no other user")
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    except (OSError, ValueError):
        os._exit(1)


def _kill_every_process() -> None:
    try:
        os.kill(-1, signal.SIGKILL)
    except OSError as error:
        if error.errno != errno.ESRCH:
            raise


def _owner(number: str) -> int:
    try:
        return os.stat(f"/proc/{number}").st_uid  # noqa: PTH116
    except OSError:
        return -1


def _resident(number: str) -> int:
    try:
        return int(Path(f"/proc/{number}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0  # it has ended meanwhile


def _proportional(number: str) -> int:
    """Resident bytes of a process, each shared page divided by the number of its users."""
    try:
        for line in Path(f"/proc/{number}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    except (OSError, IndexError, ValueError):
        pass
    return 0
