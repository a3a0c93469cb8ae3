# status: timeout
# limit: 1
import os
import signal


def solve(x):
    os.kill(os.getpid(), signal.SIGSTOP)
    return x + 1 if False else None
