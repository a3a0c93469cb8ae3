# needs: numpy
# kind: float
import numpy as np


def solve(x):
    return np.array([np.nan, -0.0, x / 3], dtype=np.float32)
