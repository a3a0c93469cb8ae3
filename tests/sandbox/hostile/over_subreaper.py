# status: failed
# Makes itself the parent of all that it leaves, and forgets to die quietly.
import ctypes
import os
import time


def solve(x):
    libc = ctypes.CDLL(None)
    libc.prctl(36, 1, 0, 0, 0)
    libc.prctl(1, 0, 0, 0, 0)  # no signal at the parent's death
    for _ in range(5):
        if os.fork() == 0:
            libc.prctl(36, 1, 0, 0, 0)
            libc.prctl(4, 0, 0, 0, 0)
            if os.fork() == 0:
                time.sleep(1000)
            time.sleep(1000)
    return None
