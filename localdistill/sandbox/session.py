"""One confined child as the pit sees it: started by a warm parent, asked, ended."""

from __future__ import annotations

import marshal
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from localdistill.sandbox import steps, steps_compiled
from localdistill.sandbox.channel import Closed, DeadlinePassed, FrameTooLarge, Peer
from localdistill.sandbox.confine import Limits
from localdistill.sandbox.place import Place
from localdistill.sandbox.purpose import Purpose

_BOOT = str(Path(__file__).with_name("boot.py"))
_START_S, _END_S = 30.0, 20.0  # how long a warm parent may take before it counts as broken

Outcome = tuple[str, str]  # status, detail


class PitBroken(Exception):
    """A warm parent does not do its work; the pit has to be started again."""


class Over(Exception):
    """A child's run is over before it answered: ``outcome`` says how."""

    def __init__(self, status: str, detail: str) -> None:
        super().__init__(detail)
        self.outcome: Outcome = (status, detail)


@dataclass(frozen=True)
class End:
    """How a child ended."""

    status: int  # as of waitpid
    cpu_s: float
    why: str  # exit | killed | memory | disk

    @property
    def exit_code(self) -> int:
        """Its exit code, or minus the signal that ended it."""
        return os.waitstatus_to_exitcode(self.status)

    def outcome(self) -> Outcome:
        """What an end that nobody asked for means."""
        if self.why == "memory":
            return "memory_exceeded", "more memory than allowed, over all its processes"
        if self.why == "disk":
            return "output_exceeded", "more files, or more of them open, than allowed"
        code = self.exit_code
        if code == -signal.SIGXCPU:
            return "timeout", "used up its processor time"
        if code < 0:
            return "runtime_error", f"ended by {_signal_name(-code)}"
        return "runtime_error", f"the process exited with code {code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        return f"signal {number}"


class Slot:
    """A warm parent and the way to it. Runs one child at a time."""

    def __init__(self, place: Place, purpose: Purpose, alive: tuple[int, ...] = ()) -> None:
        """``alive``: descriptors to be held until the warm parent has ended, and all below it."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        order = {"place": place._asdict(), "control": theirs.fileno(), "tests": purpose.tests}
        order["alive"] = list(alive)
        order["compiled"] = steps_compiled.are_current()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        # An interpreter of its own: the hash seed is fixed when one starts. Not -I, which would
        # ignore the seed; nothing else of Python's is in the environment.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-s", "-S", "-B", _BOOT, "--warm", marshal.dumps(order).hex()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**kept, "PYTHONHASHSEED": str(purpose.hash_seed)},
            pass_fds=[theirs.fileno(), *alive],
        )
        theirs.close()
        self.place = place
        self.control = ours
        self.control.settimeout(_START_S)
        if self._reply() != steps.READY:
            raise PitBroken("a warm parent did not start")

    def start(self, limits: Limits, *descriptors: int) -> None:
        """Start a child that gets ``descriptors``: its channel, and perhaps its 0 and 1."""
        order = steps.start_format.pack(
            steps.START, limits.memory_bytes, limits.cpu_s, limits.sampled
        )
        try:
            socket.send_fds(self.control, [order], list(descriptors))
        except OSError as error:
            raise PitBroken(f"a warm parent is gone: {error}") from None

    def end(self) -> End:
        """End the child, if it has not ended, with all that it left; returns how it ended."""
        try:
            self.control.send(steps.KILL)
        except OSError as error:
            raise PitBroken(f"a warm parent is gone: {error}") from None
        return self.ended()

    def ended(self) -> End:
        """Wait for the report of a child that has ended by itself."""
        self.control.settimeout(_END_S)  # not for the child, which is dead, but for clearing up
        message = self._reply()
        if message == steps.OVER:
            message = self._reply()
        _, status, cpu, why = steps.ended_format.unpack(message)
        return End(status, cpu, why.rstrip(b"\0").decode())

    def _reply(self) -> bytes:
        try:
            message = self.control.recv(64)
        except OSError as error:
            raise PitBroken(f"a warm parent does not answer: {error}") from None
        if not message:
            raise PitBroken("a warm parent is gone")
        return message


@dataclass(frozen=True)
class Several:
    """How long to wait for several answers: for ``count``, or the first not of kinds ``go_on``."""

    count: int
    go_on: bytes  # kinds, at most four
    limit_s: float  # for each
    total_s: float
    most_bytes: int


# The answers, and how the child ended if it did not give them all.
Answers = tuple[list[tuple[bytes, bytes]], Over | None]


class Child:
    """A running child: ask it, then ``close`` it, in every case."""

    def __init__(self, slot: Slot, limits: Limits) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._slot = slot
        self._peer = Peer(ours)
        self._end: End | None = None
        self.busy_s = 0.0  # how long its answers took
        try:
            slot.start(limits, theirs.fileno())
        finally:
            theirs.close()

    def ask(self, kind: bytes, body: bytes, limit_s: float) -> tuple[bytes, bytes]:
        """Send one frame and wait for the answer.

        Raises:
            Over: it ended, or did not answer in time.
        """
        return self._exchange((kind, body), limit_s)

    def ask_several(self, order: Several, kind: bytes, body: bytes) -> Answers:
        """Send one frame that is answered by several, and wait for them as ``order`` says."""
        found: list[tuple[bytes, bytes]] = []
        stop, size = time.monotonic() + order.total_s, 0
        sent: tuple[bytes, bytes] | None = (kind, body)
        try:
            while len(found) < order.count and (not found or found[-1][0] in order.go_on):
                left = stop - time.monotonic()
                if left <= 0:
                    raise Over("timeout", f"{len(found)} calls took too long together")
                found.append(self._exchange(sent, min(order.limit_s, left)))
                sent = None
                size += len(found[-1][1])
                if size > order.most_bytes:
                    found.pop()
                    raise Over("output_exceeded", "results of more bytes than allowed")
        except Over as over:
            return found, over
        return found, None

    def _exchange(self, sent: tuple[bytes, bytes] | None, limit_s: float) -> tuple[bytes, bytes]:
        started = time.monotonic()
        deadline = started + limit_s
        watch = self._slot.control.fileno()
        try:
            if sent is None or self._peer.send(*sent, deadline, watch):
                answer = self._peer.receive(deadline, watch)
                if answer is not None:
                    return answer
            self._end = self._slot.ended()
        except DeadlinePassed:
            raise Over("timeout", f"no answer within {limit_s:g} s") from None
        except FrameTooLarge:
            raise Over("output_exceeded", "an answer of more bytes than allowed") from None
        except Closed:
            self.close()
        finally:
            self.busy_s += time.monotonic() - started
        if self._end is None:
            raise PitBroken("a child that has ended was not reported")
        if self._end.why == "killed":
            raise Over("runtime_error", "the process closed its channel")
        raise Over(*self._end.outcome())

    def close(self) -> End:
        """End the child and everything that it has left behind."""
        if self._end is None:
            self._end = self._slot.end()
        self._peer.socket.close()
        return self._end
