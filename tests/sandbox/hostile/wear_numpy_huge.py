# needs: numpy
# status: memory_exceeded
import numpy as np


def solve(x):
    return np.ones(1 << 32)
