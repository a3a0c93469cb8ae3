# status: failed, runtime_error
# A line of processes, each of which starts the next as soon as its own parent is gone.
import os
import time


def solve(x):
    if os.fork() == 0:
        os.setsid()
        while True:
            if os.fork():
                os._exit(0)
            time.sleep(0.0005)
    return None
