# status: memory_exceeded, output_exceeded
# limit: 10
# Memory over many processes that do not let themselves be looked at.
import ctypes
import os
import time


def solve(x):
    libc = ctypes.CDLL(None)
    for _ in range(16):
        if os.fork() == 0:
            libc.prctl(4, 0, 0, 0, 0)  # not dumpable
            hoard = bytearray(60 << 20)
            for place in range(0, len(hoard), 4096):
                hoard[place] = 1
            time.sleep(100)
    time.sleep(100)
