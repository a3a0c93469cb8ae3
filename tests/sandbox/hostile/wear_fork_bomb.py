# status: failed, runtime_error, timeout, memory_exceeded
# limit: 2
import os


def solve(x):
    while True:
        try:
            os.fork()
        except OSError:
            pass
