# needs: numpy
# assert: solve(3) == [3, 4]
import numpy as np


class Vector(np.ndarray):
    pass


def solve(x):
    return np.array([x, x + 1]).view(Vector)
