"""What runs in a confined child, given its channel: test code, and comparisons.

Apart from ``candidate_body``: each module that the warm parent of candidates has loaded is memory
whose tables every fork copies.
"""

from __future__ import annotations

import sys

from localdistill.sandbox import codec, comparing, judge
from localdistill.sandbox.channel import Closed, Line
from localdistill.sandbox.requests import unpack


def judge_body(channel: int) -> None:
    """Run tests and compare values as the frames ask."""
    codec.load_rare()
    line = Line(channel)
    sys.set_int_max_str_digits(0)
    try:
        kind, body = line.receive()
        while kind == judge.JUDGE or kind in comparing.KINDS:
            if kind == judge.JUDGE:
                judge.serve_tests(line, unpack(body))
            else:
                comparing.serve(line, kind, body)
            kind, body = line.receive()
    except Closed:
        pass
    line.receive()  # wait to be ended
