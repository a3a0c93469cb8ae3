# needs: numpy
# limit: 20
import multiprocessing

import numpy as np


def total(n):
    return int(np.arange(n).sum())


def solve(x):
    with multiprocessing.Pool(2) as pool:
        return sum(pool.map(total, [x, 2, 0, 1])) and x + 1
