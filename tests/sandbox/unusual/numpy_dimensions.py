# needs: numpy
# assert: solve(0) == 7
# assert: solve(1) == [7, 7]
# assert: solve(2) == [[7, 7], [7, 7]]
# assert: solve(3) == [[[7, 7], [7, 7]], [[7, 7], [7, 7]]]
import numpy as np


def solve(x):
    return np.full((2,) * x, 7)
