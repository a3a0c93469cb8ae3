"""A slot in a container, seen from the pit: the same questions, over one stream of bytes.

What comes back is a claim, as everything that comes out of the place where candidates run is. Even
a container that a candidate has taken over can send values and failures only: no expected value and
no verdict is in there. Nothing but bytes comes back: no descriptors, and no marshal or pickle.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from typing import Any

from localdistill.sandbox import sources
from localdistill.sandbox.codec import CodecError
from localdistill.sandbox.confine import Limits
from localdistill.sandbox.decode import decode
from localdistill.sandbox.program import ProgramRun
from localdistill.sandbox.purpose import Purpose
from localdistill.sandbox.session import Answers, End, Outcome, Over, PitBroken, Several
from localdistill.sandbox.stream import Stream, StreamBroken

# To the container: go over to the direct way; start a child; ask it; ask it for several answers;
# end it and tell how, or just end it; run a whole program.
DIRECT, START, ASK, SEVERAL, CLOSE, LEAVE, PROGRAM = b"D", b"S", b"A", b"M", b"C", b"L", b"P"
# From there: what it is; an answer; the child is over; several answers; it has been ended; a
# program has run; it cannot go on, and why.
HELLO, ANSWER, OVER, ANSWERS, ENDED, RAN, BROKEN = b"H", b"a", b"o", b"m", b"e", b"r", b"B"

start_format = struct.Struct("<I?QI?")  # hash seed, tests, memory in bytes, CPU in s, sampled
ask_format = struct.Struct("<dc")  # limit in seconds, kind of frame
several_format = struct.Struct("<I4sddQc")  # fields of Several, kind of frame
program_format = struct.Struct("<dI")  # limit in seconds, bytes of source; start_format is before
answer_format = struct.Struct("<dc")  # busy seconds, kind of frame
over_format = struct.Struct("<d")  # busy seconds
answers_format = struct.Struct("<dII")  # busy seconds, number of answers, bytes of outcome
each_format = struct.Struct("<cI")  # kind of frame, bytes
ended_format = struct.Struct("<id10s")  # wait status, CPU seconds, why
ran_format = struct.Struct("<ddI")  # busy seconds, CPU seconds, bytes of outcome

FAILURES = (
    "failed", "runtime_error", "syntax_error", "timeout", "memory_exceeded", "output_exceeded",
)  # fmt: skip
ENDS = ("exit", "killed", "memory", "disk")
TOKEN_BYTES = 32

_HELLO_S, _DIRECT_S = 45.0, 10.0
_SPARE_S = 60.0  # above the child's own limit, which the container keeps
_DETAIL_CHARACTERS = 300
_TOLD_BYTES = 1 << 16  # of an end or a greeting: what is looked into here stays short
_LEFT = End(0, 0.0, "killed")  # of a child that was ended without being asked how

OTHER_VERSION = "the sandbox's image is of another version of localdistill: build it again"
_OUT_OF_TURN = "the sandbox's container answered out of turn"


class RemoteSlots:
    """One container and the way to it.

    Args:
        stream: descriptor of a socket to the container's standard input and output.
        listener: descriptor of a listening socket that the container may be able to reach: a way
            that passes no process of the engine, and costs a tenth.

    Raises:
        PitBroken: here and in every method below: the container is gone or talks nonsense.
    """

    def __init__(self, stream: int, listener: int | None = None) -> None:
        self._stream = Stream(socket.socket(fileno=stream))
        kind, body = self.receive(_HELLO_S)
        hello = _decoded(body) if kind == HELLO else {}
        if hello.get("sources") != sources.digest():
            raise PitBroken(OTHER_VERSION)
        if listener is not None:
            with socket.socket(fileno=listener) as server:
                if hello.get("direct"):
                    self._go_direct(server)

    def slot(self, purpose: Purpose) -> RemoteSlot:
        """The slot whose warm parent has this purpose."""
        return RemoteSlot(self, purpose)

    def hold(self, kind: bytes, body: bytes) -> None:
        """Send one message together with the next one."""
        self._stream.hold(kind, body)

    def send(self, kind: bytes, body: bytes) -> None:
        """Send one message."""
        try:
            self._stream.send(kind, body, _SPARE_S)
        except StreamBroken as error:
            raise PitBroken(f"the sandbox's container {error}") from None

    def receive(self, limit_s: float) -> tuple[bytes, bytes]:
        """Wait for one message."""
        try:
            message = self._stream.receive(limit_s)
        except StreamBroken as error:
            raise PitBroken(f"the sandbox's container {error}") from None
        if message[0] == BROKEN:
            raise PitBroken(_printable(message[1].decode("utf-8", "replace")))
        return message

    def _go_direct(self, server: socket.socket) -> None:
        """Find the container among those that connect: it knows what was sent to it alone."""
        token = os.urandom(TOKEN_BYTES)
        self.send(DIRECT, token)
        server.setblocking(False)
        deadline = time.monotonic() + _DIRECT_S
        while _readable(server, deadline):
            try:
                end, _ = server.accept()
            except OSError:
                continue
            end.settimeout(1.0)
            if _said(end) == token:
                self._first, self._stream = self._stream, Stream(end)  # its input must stay open
                return
            end.close()
        raise PitBroken("the sandbox's container does not come back by the direct way")


class RemoteSlot:
    """One slot of a container."""

    def __init__(self, server: RemoteSlots, purpose: Purpose) -> None:
        self._server = server
        self._purpose = purpose

    def child(self, limits: Limits) -> RemoteChild:
        """Start a child. There must be no other."""
        self._server.hold(START, self._start(limits))
        return RemoteChild(self._server)

    def run_program(self, limits: Limits, source: str, text: str, limit_s: float) -> ProgramRun:
        """Run a whole program on ``text``, and end it with all that it leaves."""
        code = source.encode("utf-8", "surrogatepass")
        order = self._start(limits) + program_format.pack(limit_s, len(code))
        self._server.send(PROGRAM, order + code + text.encode("utf-8", "surrogatepass"))
        kind, body = self._server.receive(limit_s + _SPARE_S)
        head = ran_format.size
        if kind != RAN or len(body) < head:
            raise PitBroken(_OUT_OF_TURN)
        busy_s, cpu_s, size = ran_format.unpack_from(body)
        over = _outcome(body[head : head + size]) if size else None
        return ProgramRun(body[head + size :], over, _seconds(busy_s), _seconds(cpu_s))

    def _start(self, limits: Limits) -> bytes:
        return start_format.pack(*self._purpose, *limits)


class RemoteChild:
    """A running child in a container."""

    def __init__(self, server: RemoteSlots) -> None:
        self._server = server
        self._end: End | None = None
        self._timed_out = False
        self.busy_s = 0.0  # how long its answers took, by the container's clock

    def ask(self, kind: bytes, body: bytes, limit_s: float) -> tuple[bytes, bytes]:
        """Send one frame and wait for the answer.

        Raises:
            Over: it ended, or did not answer in time.
        """
        self._server.send(ASK, ask_format.pack(limit_s, kind) + body)
        return self._answer(limit_s)

    def ask_several(self, order: Several, kind: bytes, body: bytes) -> Answers:
        """Send one frame that is answered by several, and wait for them as ``order`` says."""
        head = several_format.pack(
            order.count, order.go_on, order.limit_s, order.total_s, order.most_bytes, kind
        )
        self._server.send(SEVERAL, head + body)
        answer_kind, answer = self._server.receive(order.total_s + _SPARE_S)
        if answer_kind != ANSWERS or len(answer) < answers_format.size:
            raise PitBroken(_OUT_OF_TURN)
        busy_s, count, size = answers_format.unpack_from(answer)
        self.busy_s += _seconds(busy_s)
        at = answers_format.size
        over = Over(*self._told(answer[at : at + size])) if size else None
        found, at = [], at + size
        if count > order.count:
            raise PitBroken(_OUT_OF_TURN)
        for _ in range(count):
            if at + each_format.size > len(answer):
                raise PitBroken(_OUT_OF_TURN)
            each_kind, size = each_format.unpack_from(answer, at)
            at += each_format.size
            found.append((each_kind, answer[at : at + size]))
            at += size
        return found, over

    def close(self) -> End:
        """End the child and everything that it has left behind.

        How it ended is known only of one that ran out of time: nobody asks of others.
        """
        if self._end is None and self._timed_out:
            self._end = self._ended()
        elif self._end is None:
            self._server.send(LEAVE, b"")
            self._end = _LEFT
        return self._end

    def _ended(self) -> End:
        self._server.send(CLOSE, b"")
        kind, body = self._server.receive(_SPARE_S)
        if kind != ENDED or len(body) != ended_format.size:
            raise PitBroken(_OUT_OF_TURN)
        status, cpu_s, why = ended_format.unpack(body)
        reason = why.rstrip(b"\0").decode("ascii", "replace")
        return End(status, _seconds(cpu_s), reason if reason in ENDS else "killed")

    def _answer(self, limit_s: float) -> tuple[bytes, bytes]:
        kind, body = self._server.receive(limit_s + _SPARE_S)
        if kind == ANSWER and len(body) >= answer_format.size:
            busy_s, answer_kind = answer_format.unpack_from(body)
            self.busy_s += _seconds(busy_s)
            return answer_kind, body[answer_format.size :]
        if kind == OVER and len(body) >= over_format.size:
            self.busy_s += _seconds(over_format.unpack_from(body)[0])
            raise Over(*self._told(body[over_format.size :]))
        raise PitBroken(_OUT_OF_TURN)

    def _told(self, body: bytes) -> Outcome:
        outcome = _outcome(body)
        self._timed_out = self._timed_out or outcome[0] == "timeout"
        return outcome


def _readable(server: socket.socket, deadline: float) -> bool:
    left = max(0.0, deadline - time.monotonic())
    return bool(select.select([server], [], [], left)[0])


def _said(end: socket.socket) -> bytes:
    said = b""
    try:
        while len(said) < TOKEN_BYTES and (piece := end.recv(TOKEN_BYTES - len(said))):
            said += piece
    except OSError:
        return b""
    return said


def _outcome(body: bytes) -> Outcome:
    """An end as it is told from there: a failure of some kind, whatever it says."""
    said = _decoded(body)
    status, detail = said.get("status"), said.get("detail")
    text = _printable(detail) if isinstance(detail, str) else ""
    return (status if status in FAILURES else "runtime_error"), text


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        found = decode(body) if len(body) <= _TOLD_BYTES else None
    except CodecError:
        found = None
    if not isinstance(found, dict):
        raise PitBroken(_OUT_OF_TURN)
    return found


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:_DETAIL_CHARACTERS])


def _seconds(value: float) -> float:
    return value if 0.0 <= value < 1e6 else 0.0  # False for a NaN
