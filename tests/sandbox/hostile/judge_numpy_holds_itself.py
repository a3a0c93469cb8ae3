# needs: numpy
# status: output_exceeded, failed, runtime_error
import numpy as np


def solve(x):
    found = np.empty((), dtype=object)
    found[()] = found
    return found
