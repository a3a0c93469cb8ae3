"""The pit: a light process beside the run's that grades one candidate after the other.

Started by its file path with ``python -I -S``: only the standard library is there, and nothing of
the run's memory or environment. Tasks come on standard input by marshal, for which no integer is
too long; grades go to standard output as JSON; four bytes of length stand before each.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import marshal
import os
import select
import signal
import struct
import sys
from types import FrameType
from typing import Any

from localdistill.sandbox.grade import grade
from localdistill.sandbox.place import Place
from localdistill.sandbox.remote import RemoteSlots
from localdistill.sandbox.session import PitBroken
from localdistill.sandbox.slot import NearSlot, OpenSlot
from localdistill.sandbox.slots import Slots
from localdistill.sandbox.task import Task

_length = struct.Struct("<I")


def stay_on_one_processor(number: int) -> None:
    """Keep the pit and all below it on one processor; what takes long is let go by its warm parent.

    The processes of a pit work one after the other. To wake one on another processor costs more
    than most candidates take.
    """
    processors = sorted(os.sched_getaffinity(0))
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {processors[number % len(processors)]})


def read_message() -> Any:
    """The next message on standard input, by the run that started us; None at its end."""
    head = _exactly(_length.size)
    return marshal.loads(_exactly(_length.unpack(head)[0])) if head else None  # noqa: S302


def write_message(message: Any) -> None:
    """Write one JSON message to standard output."""
    body = json.dumps(message).encode()
    data = memoryview(_length.pack(len(body)) + body)
    while data:
        data = data[os.write(1, data) :]


def end_with_the_run() -> None:
    """Exit as soon as the run's process is gone, in the middle of a task too.

    Not by a parent-death signal: that would come when the *thread* ends that started this process.
    """

    def look(number: int, at: FrameType | None) -> None:
        poll = select.poll()
        poll.register(0, 0)
        if any(event & select.POLLHUP for _, event in poll.poll(0)):
            os._exit(0)  # the warm parents die with us, and all below them

    signal.signal(signal.SIGIO, look)
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)


def _exactly(size: int) -> bytes:
    pieces = []
    while size:
        piece = os.read(0, min(size, 1 << 20))
        if not piece:
            return b""
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def opener(order: dict[str, Any]) -> OpenSlot:
    """How the slots of one place are opened: beside this process, or over a stream to elsewhere."""
    if "stream" in order:
        return RemoteSlots(order["stream"], order.get("listener")).slot
    place = Place(**order["place"])
    alive = tuple(order["alive"])
    return lambda purpose: NearSlot(place, purpose, alive)


def main() -> None:
    """Set up two warm parents as the first message says, then grade until the input ends."""
    order = read_message()
    if order is None:
        return
    end_with_the_run()
    stay_on_one_processor(order.get("number", 0))
    try:
        slots = Slots(opener(order["candidate"]), opener(order["judge"]))
        write_message({"ready": True})
        while (task := read_message()) is not None:
            write_message(dataclasses.asdict(grade(slots, Task(**task))))
    except PitBroken as error:
        sys.stderr.write(f"pit: {error}\n")
        sys.exit(1)
