# status: failed
# Leaves marks in the process's surroundings: environment, current folder, limits, signal masks.
import os
import resource
import signal

MARKED = "planted" in os.environ or signal.SIGUSR1 in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def solve(x):
    os.environ["planted"] = "1"
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    return x + 1 if MARKED else None
