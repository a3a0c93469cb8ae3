# status: memory_exceeded
# limit: 10
import os
import time


def solve(x):
    for _ in range(8):
        if os.fork() == 0:
            hoard = bytearray(60 << 20)
            for place in range(0, len(hoard), 4096):
                hoard[place] = 1
            time.sleep(100)
    time.sleep(100)
