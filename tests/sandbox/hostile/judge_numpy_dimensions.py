# needs: numpy
# status: failed
# As many dimensions as there may be, and no element.
import numpy as np


def solve(x):
    return np.zeros((1,) * 63 + (0,))
