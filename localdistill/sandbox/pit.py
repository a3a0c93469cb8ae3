"""The pit: a light process beside the run's that grades one candidate after the other.

Started by its file path with ``python -I -S``: only the standard library is there, and nothing of
the run's memory or environment. Tasks come on standard input by marshal, for which no integer is
too long; grades go to standard output as JSON; four bytes of length stand before each.
"""

from __future__ import annotations

import builtins
import dataclasses
import fcntl
import json
import marshal
import os
import select
import signal
import struct
import sys
from _sitebuiltins import Quitter
from types import FrameType
from typing import Any

from localdistill.sandbox import candidate, judge, stdin_program
from localdistill.sandbox.channel import Closed, Line
from localdistill.sandbox.decode import decode
from localdistill.sandbox.grade import Slots, grade
from localdistill.sandbox.place import Place
from localdistill.sandbox.session import PitBroken, Slot
from localdistill.sandbox.task import Task

# What candidates commonly import: loaded once, inherited by every fork.
_PRELOADED = (
    "abc array bisect calendar cmath collections contextlib copy dataclasses datetime decimal enum "
    "fractions functools hashlib heapq io itertools json math numbers operator queue random re "
    "statistics string textwrap threading time traceback typing unicodedata"
)

_length = struct.Struct("<I")


def confined_body(channel: int) -> None:
    """What runs in each confined child: the first frame says as what."""
    line = Line(channel)
    sys.set_int_max_str_digits(0)  # right programs print long integers; the time limit bounds it
    try:
        kind, body = line.receive()
        if kind == candidate.MODULE:
            candidate.serve_module(line, body.decode("utf-8", "surrogatepass"))
        elif kind == candidate.PROGRAM:
            stdin_program.run_program(line, body.decode("utf-8", "surrogatepass"))
        elif kind == judge.JUDGE:
            judge.serve_tests(line, decode(body))
    except Closed:
        pass
    line.receive()  # wait to be ended


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


def main() -> None:
    """Set up two warm parents as the first message says, then grade until the input ends."""
    # What the module ``site`` would have brought, which looks for installed packages.
    builtins.exit, builtins.quit = Quitter("exit", "Ctrl-D"), Quitter("quit", "Ctrl-D")
    for name in _PRELOADED.split():
        __import__(name)
    order = read_message()
    if order is None:
        return
    end_with_the_run()
    try:
        slots = Slots(
            candidate=Slot(Place(**order["candidate"]), confined_body),
            judge=Slot(Place(**order["judge"]), confined_body),
        )
        write_message({"ready": True})
        while (task := read_message()) is not None:
            write_message(dataclasses.asdict(grade(slots, Task(**task))))
    except PitBroken as error:
        sys.stderr.write(f"pit: {error}\n")
        sys.exit(1)
