"""A slot in a container, seen from the pit: the same questions, over one stream of bytes.

What comes back is a claim, as everything that comes out of the place where candidates run is. Even
a container that a candidate has taken over can send values and failures only: no expected value and
no verdict is in there. Nothing but bytes crosses: no descriptors, and no marshal or pickle.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from typing import Any, NoReturn

from localdistill.sandbox import sources
from localdistill.sandbox.channel import Closed, DeadlinePassed, FrameTooLarge, Peer
from localdistill.sandbox.codec import CodecError
from localdistill.sandbox.confine import Limits
from localdistill.sandbox.decode import decode
from localdistill.sandbox.program import ProgramRun
from localdistill.sandbox.session import End, Outcome, Over, PitBroken

# To the container: start a child; ask it; wait for one more answer; end it; run a whole program.
START, ASK, NEXT, CLOSE, PROGRAM = b"S", b"A", b"N", b"C", b"P"
# From there: what it is; an answer; the child is over; it has been ended; a program has run.
HELLO, ANSWER, OVER, ENDED, RAN = b"H", b"a", b"o", b"e", b"r"
# From there: it cannot go on, and why.
BROKEN = b"B"

start_format = struct.Struct("<IQI?")  # hash seed, memory in bytes, CPU in seconds, sampled
ask_format = struct.Struct("<dc")  # limit in seconds, kind of frame
next_format = struct.Struct("<d")
program_format = struct.Struct("<dI")  # limit in seconds, bytes of source; start_format is before
answer_format = struct.Struct("<dc")  # busy seconds, kind of frame
over_format = struct.Struct("<d")  # busy seconds
ended_format = struct.Struct("<id10s")  # wait status, CPU seconds, why
ran_format = struct.Struct("<ddI")  # busy seconds, CPU seconds, bytes of outcome

FAILURES = (
    "failed", "runtime_error", "syntax_error", "timeout", "memory_exceeded", "output_exceeded",
)  # fmt: skip
ENDS = ("exit", "killed", "memory", "disk")

_HELLO_S = 30.0
_SPARE_S = 60.0  # above the child's own limit, which the container keeps
_DETAIL_CHARACTERS = 300

OTHER_VERSION = "the sandbox's image is of another version of localdistill: build it again"


class RemoteSlots:
    """One container and the stream to it.

    Raises:
        PitBroken: here and in every method below: the container is gone or talks nonsense.
    """

    def __init__(self, descriptor: int) -> None:
        self._peer = Peer(socket.socket(fileno=descriptor))
        # A Peer watches a second descriptor. Here nothing ever comes in on it.
        self._silent, self._kept_open = os.pipe()
        kind, body = self.receive(_HELLO_S)
        self.hello: dict[str, Any] = _decoded(body) if kind == HELLO else {}
        if self.hello.get("sources") != sources.digest():
            raise PitBroken(OTHER_VERSION)

    def slot(self, hash_seed: int) -> RemoteSlot:
        """The slot whose warm parent has this hash seed."""
        return RemoteSlot(self, hash_seed)

    def send(self, kind: bytes, body: bytes) -> None:
        """Send one message."""
        try:
            self._peer.send(kind, body, time.monotonic() + _SPARE_S, self._silent)
        except (Closed, DeadlinePassed) as error:
            self._give_up(error)

    def receive(self, limit_s: float) -> tuple[bytes, bytes]:
        """Wait for one message."""
        try:
            message = self._peer.receive(time.monotonic() + limit_s, self._silent)
        except (Closed, DeadlinePassed, FrameTooLarge) as error:
            self._give_up(error)
        if message is None:
            raise PitBroken("the sandbox's container sent nothing")
        if message[0] == BROKEN:
            raise PitBroken(_printable(message[1].decode("utf-8", "replace")))
        return message

    def _give_up(self, error: Exception) -> NoReturn:
        what = "ended" if isinstance(error, Closed) else "does not answer"
        raise PitBroken(f"the sandbox's container {what}") from None


class RemoteSlot:
    """One slot of a container."""

    def __init__(self, server: RemoteSlots, hash_seed: int) -> None:
        self._server = server
        self._hash_seed = hash_seed

    def child(self, limits: Limits) -> RemoteChild:
        """Start a child. There must be no other."""
        self._server.send(START, self._start(limits))
        return RemoteChild(self._server)

    def run_program(self, limits: Limits, source: str, text: str, limit_s: float) -> ProgramRun:
        """Run a whole program on ``text``, and end it with all that it leaves."""
        code = source.encode("utf-8", "surrogatepass")
        order = self._start(limits) + program_format.pack(limit_s, len(code))
        self._server.send(PROGRAM, order + code + text.encode("utf-8", "surrogatepass"))
        kind, body = self._server.receive(limit_s + _SPARE_S)
        head = ran_format.size
        if kind != RAN or len(body) < head:
            raise PitBroken("the sandbox's container answered out of turn")
        busy_s, cpu_s, size = ran_format.unpack_from(body)
        over = _outcome(body[head : head + size]) if size else None
        return ProgramRun(body[head + size :], over, _seconds(busy_s), _seconds(cpu_s))

    def _start(self, limits: Limits) -> bytes:
        return start_format.pack(self._hash_seed, limits.memory_bytes, limits.cpu_s, limits.sampled)


class RemoteChild:
    """A running child in a container."""

    def __init__(self, server: RemoteSlots) -> None:
        self._server = server
        self._end: End | None = None
        self.busy_s = 0.0  # how long its answers took, by the container's clock

    def ask(self, kind: bytes, body: bytes, limit_s: float) -> tuple[bytes, bytes]:
        """Send one frame and wait for the answer.

        Raises:
            Over: it ended, or did not answer in time.
        """
        self._server.send(ASK, ask_format.pack(limit_s, kind) + body)
        return self._answer(limit_s)

    def next_answer(self, limit_s: float) -> tuple[bytes, bytes]:
        """Wait for a further answer to the last frame; raises as ``ask``."""
        self._server.send(NEXT, next_format.pack(limit_s))
        return self._answer(limit_s)

    def close(self) -> End:
        """End the child and everything that it has left behind."""
        if self._end is None:
            self._server.send(CLOSE, b"")
            kind, body = self._server.receive(_SPARE_S)
            if kind != ENDED or len(body) != ended_format.size:
                raise PitBroken("the sandbox's container answered out of turn")
            status, cpu_s, why = ended_format.unpack(body)
            reason = why.rstrip(b"\0").decode("ascii", "replace")
            self._end = End(status, _seconds(cpu_s), reason if reason in ENDS else "killed")
        return self._end

    def _answer(self, limit_s: float) -> tuple[bytes, bytes]:
        kind, body = self._server.receive(limit_s + _SPARE_S)
        if kind == ANSWER and len(body) >= answer_format.size:
            busy_s, answer_kind = answer_format.unpack_from(body)
            self.busy_s += _seconds(busy_s)
            return answer_kind, body[answer_format.size :]
        if kind == OVER and len(body) >= over_format.size:
            self.busy_s += _seconds(over_format.unpack_from(body)[0])
            raise Over(*_outcome(body[over_format.size :]))
        raise PitBroken("the sandbox's container answered out of turn")


def _outcome(body: bytes) -> Outcome:
    """An end as it is told from there: a failure of some kind, whatever it says."""
    said = _decoded(body)
    status, detail = said.get("status"), said.get("detail")
    text = _printable(detail) if isinstance(detail, str) else ""
    return (status if status in FAILURES else "runtime_error"), text


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        found = decode(body)
    except CodecError:
        found = None
    if not isinstance(found, dict):
        raise PitBroken("the sandbox's container answered out of turn")
    return found


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:_DETAIL_CHARACTERS])


def _seconds(value: float) -> float:
    return value if 0.0 <= value < 1e6 else 0.0  # False for a NaN
