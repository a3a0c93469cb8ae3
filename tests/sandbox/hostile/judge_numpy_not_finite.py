# needs: numpy
# status: failed
# tests: tolerance
import numpy as np


def solve(x):
    return np.array(np.nan, dtype=np.longdouble)
