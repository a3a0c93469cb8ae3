# needs: numpy
# status: output_exceeded
# One number that stands for more than memory holds.
import numpy as np


def solve(x):
    return np.broadcast_to(np.int8(0), (1 << 20, 1 << 20))
