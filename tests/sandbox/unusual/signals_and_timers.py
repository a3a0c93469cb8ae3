import contextlib
import signal
import time


class Late(Exception):
    pass


def ring(*given):
    raise Late


def solve(x):
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    with contextlib.suppress(Late):
        time.sleep(5)
    return x + 1
