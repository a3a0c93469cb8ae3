# status: output_exceeded, runtime_error
# The header of a frame of 2 GB.
import os


def solve(x):
    for descriptor in range(3, 32):
        try:
            os.write(descriptor, b"\xff\xff\xff\x7fV" + b"x" * 100)
        except OSError:
            pass
    return None
