# status: timeout, runtime_error, failed, memory_exceeded
# limit: 2
# Stops every process that it may, while it holds memory enough to be looked at closely.
import os
import signal


def solve(x):
    held = bytearray(200 << 20)
    for place in range(0, len(held), 4096):
        held[place] = 1
    if os.fork() == 0:
        for place in range(0, len(held), 4096):
            held[place] = 2
    while True:
        try:
            os.kill(-1, signal.SIGSTOP)
        except OSError:
            pass
