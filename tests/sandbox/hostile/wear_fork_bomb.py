# status: failed, runtime_error, memory_exceeded, output_exceeded, timeout
# limit: 2
import os


def solve(x):
    while True:
        try:
            os.fork()
        except OSError:
            pass
