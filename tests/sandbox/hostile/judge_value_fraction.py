# status: failed, runtime_error
# The same as a value that the tests are given.
import os
import struct


def solve(x):
    text = b"1e3000000000"
    body = b"Q" + struct.pack("<I", 1) + b"s" + struct.pack("<I", len(text)) + text + b"N"
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, struct.pack("<IB", len(body), ord("V")) + body)
        except OSError:
            pass
