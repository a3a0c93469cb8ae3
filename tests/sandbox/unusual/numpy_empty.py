# needs: numpy
# assert: solve(3) == [[], [], []]
import numpy as np


def solve(x):
    return np.zeros((x, 0))
