# status: failed, runtime_error
# A range in the place of a pair of a mapping: a few bytes, and all memory.
import os
import struct

from localdistill.sandbox.codec import encode


def solve(x):
    body = b"x" + struct.pack("<I", 1) + encode(range(10**10))
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, struct.pack("<IB", len(body), ord("F")) + body)
        except OSError:
            pass
