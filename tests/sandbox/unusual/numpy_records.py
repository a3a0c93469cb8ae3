# needs: numpy
# assert: solve(3) == [(3, 0.5), (4, 1.5)]
import numpy as np


def solve(x):
    return np.array([(x, 0.5), (x + 1, 1.5)], dtype=[("number", "i4"), ("weight", "f8")])
