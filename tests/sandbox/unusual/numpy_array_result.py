# needs: numpy
# kind: list
import numpy as np


def solve(x):
    return np.arange(x)
