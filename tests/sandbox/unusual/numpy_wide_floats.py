# needs: numpy
# assert: solve(3) == (0.5, 2j, [0.5, 0.25])
import numpy as np


def solve(x):
    return np.longdouble(0.5), np.clongdouble(2j), np.array([0.5, 0.25], dtype=np.longdouble)
