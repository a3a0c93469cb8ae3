# needs: numpy
# status: timeout
# limit: 2
# In C, and deaf to signals as long as it lasts.
import signal

import numpy as np


def solve(x):
    for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    a = np.random.rand(2500, 2500)
    while True:
        np.linalg.eigvals(a)
