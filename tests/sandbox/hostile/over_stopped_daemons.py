# status: failed
# Leaves stopped processes behind, which take no notice of polite signals.
import os
import signal


def solve(x):
    for _ in range(10):
        if os.fork() == 0:
            os.setsid()
            os.kill(os.getpid(), signal.SIGSTOP)
            os._exit(0)
    return None
