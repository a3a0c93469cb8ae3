# needs: numpy
# status: memory_exceeded
# limit: 10
# Asked for as zeros, which cost nothing, and then filled. Held for a while: memory is sampled.
import time

import numpy as np


def solve(x):
    hoard = np.zeros(90_000_000)
    hoard += 1
    time.sleep(1)
    return x + 1
