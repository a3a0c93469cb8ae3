"""What runs in a confined child, given its channel: a candidate."""

from __future__ import annotations

import random
import sys

from localdistill.sandbox import candidate, shared_mapping, stdin_program
from localdistill.sandbox.channel import Closed, Line
from localdistill.sandbox.requests import unpack


def candidate_body(channel: int) -> None:
    """Load the module, or run the program, that the first frame holds."""
    line = Line(channel)
    sys.set_int_max_str_digits(0)  # right programs print long integers; the time limit bounds it
    try:
        kind, body = line.receive()
        if b"rand" in body:
            random.seed()  # else each child would begin where its warm parent stands
        if b"mmap" in body:
            shared_mapping.provide()
        if kind == candidate.MODULE_AND_CALLS:
            candidate.serve_module(line, *unpack(body))
        elif kind == candidate.MODULE:
            candidate.serve_module(line, body.decode("utf-8", "surrogatepass"))
        elif kind == candidate.PROGRAM:
            stdin_program.run_program(line, body.decode("utf-8", "surrogatepass"))
    except Closed:
        pass
    line.receive()  # wait to be ended
