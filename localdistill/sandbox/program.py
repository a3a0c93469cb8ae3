"""One run of a whole program for one stdin case, seen from the pit."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import time
from dataclasses import dataclass
from typing import Any

from localdistill.sandbox.candidate import PROGRAM
from localdistill.sandbox.channel import Closed, DeadlinePassed, FrameTooLarge, Peer, frame
from localdistill.sandbox.claims import claimed_end
from localdistill.sandbox.confine import Limits
from localdistill.sandbox.session import End, Outcome, Slot

OUTPUT_BYTES = 32 << 20
# One of these is in the text of a program that takes its input for a file, as it is on judges that
# redirect one: a pipe has no size. Others get a pipe, since asyncio cannot wait for a file.
_TAKES_A_FILE = ("fstat", "mmap", "seek")


@dataclass(frozen=True)
class ProgramRun:
    """What one run came to: ``over`` is None where the program ended by itself with exit code 0."""

    output: bytes
    over: Outcome | None
    busy_s: float
    cpu_s: float


def run_program(slot: Slot, limits: Limits, source: str, text: str, limit_s: float) -> ProgramRun:
    """Run ``source`` with ``text`` on its standard input, and end it and all that it leaves."""
    return _Run(slot, source, text).run(limits, limit_s)


class _Run:
    def __init__(self, slot: Slot, source: str, text: str) -> None:
        self._slot = slot
        self._takes_a_file = any(word in source for word in _TAKES_A_FILE)
        self._order = frame(PROGRAM, source.encode("utf-8", "surrogatepass"))
        self._input = memoryview(text.encode("utf-8", "surrogatepass"))
        self._output = bytearray()

    def run(self, limits: Limits, limit_s: float) -> ProgramRun:
        ours, theirs = socket.socketpair()
        stdin_read, stdin_write = self._file() if self._takes_a_file else os.pipe()
        stdout_read, stdout_write = os.pipe()
        # Another user may open them again, as /dev/stdin and its like.
        os.fchmod(stdin_read, 0o444)
        os.fchmod(stdout_write, 0o222)  # not to read: what is printed is for us alone
        try:
            self._slot.start(limits, theirs.fileno(), stdin_read, stdout_write)
        finally:
            theirs.close()
            os.close(stdin_read)
            os.close(stdout_write)
        for descriptor in (stdin_write, stdout_read):
            os.set_blocking(descriptor, False)
        started = time.monotonic()
        try:
            over = self._converse(ours, stdin_write, stdout_read, started + limit_s)
            busy_s = time.monotonic() - started
            end = self._slot.end() if over is not None else self._slot.ended()
            if over is None:
                self._drain(stdout_read)
                over = self._judge_end(end, Peer(ours))
        finally:
            ours.close()
            os.close(stdout_read)
        if over is not None and over[0] == "timeout":
            over = ("timeout", f"did not end within {limit_s:g} s")
        return ProgramRun(bytes(self._output), over, busy_s, end.cpu_s)

    def _file(self) -> tuple[int, int]:
        """A file in memory that holds the input and does not change, and what is to be closed."""
        whole = os.memfd_create("stdin", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
        while self._input:
            self._input = self._input[os.write(whole, self._input) :]
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
        fcntl.fcntl(whole, fcntl.F_ADD_SEALS, seals)
        return os.open(f"/proc/self/fd/{whole}", os.O_RDONLY | os.O_CLOEXEC), whole

    def _converse(self, channel: socket.socket, *rest: Any) -> Outcome | None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # seen below as its end
            channel.sendall(self._order)  # the child's first act is to read it
        return self._attend(*rest)

    def _attend(self, stdin: int, stdout: int, deadline: float) -> Outcome | None:
        """Feed and read until the child has ended (None) or has to be ended."""
        poll = select.poll()
        poll.register(self._slot.control, select.POLLIN)
        poll.register(stdout, select.POLLIN)
        feeding = not self._takes_a_file
        if feeding:
            poll.register(stdin, select.POLLOUT)
        try:
            while True:
                left = deadline - time.monotonic()
                ready = dict(poll.poll(left * 1000)) if left > 0 else {}
                if not ready:
                    return "timeout", ""
                if stdin in ready and not self._feed(stdin):
                    poll.unregister(stdin)
                    os.close(stdin)
                    feeding = False
                if stdout in ready and not self._read(stdout):
                    poll.unregister(stdout)  # closed by the program, which may work on
                if len(self._output) > OUTPUT_BYTES:
                    return "output_exceeded", f"printed more than {OUTPUT_BYTES >> 20} MiB"
                if self._slot.control.fileno() in ready:
                    return None
        finally:
            if feeding or self._takes_a_file:
                os.close(stdin)

    def _feed(self, stdin: int) -> bool:
        try:
            self._input = self._input[os.write(stdin, self._input[: 1 << 16]) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:
            return False  # a program need not read all
        return bool(self._input)

    def _read(self, stdout: int) -> bool:
        """Take what there is; False at its end."""
        try:
            return self._take(stdout)
        except BlockingIOError:  # a program with our own user id can have read it before us
            return True

    def _take(self, stdout: int) -> bool:
        piece = os.read(stdout, 1 << 16)
        self._output += piece
        return bool(piece)

    def _drain(self, stdout: int) -> None:
        try:
            while len(self._output) <= OUTPUT_BYTES and self._take(stdout):
                pass
        except BlockingIOError:
            pass

    def _judge_end(self, end: End, channel: Peer) -> Outcome | None:
        if len(self._output) > OUTPUT_BYTES:
            return "output_exceeded", f"printed more than {OUTPUT_BYTES >> 20} MiB"
        if end.why == "exit" and end.exit_code == 0:
            return None
        return self._claim(channel) or end.outcome()

    def _claim(self, channel: Peer) -> Outcome | None:
        """What the child has said about its own failure."""
        try:
            said = channel.receive(time.monotonic() + 0.01, self._slot.control.fileno())
        except (Closed, FrameTooLarge, DeadlinePassed):
            return None
        return claimed_end(*said).outcome if said is not None else None
