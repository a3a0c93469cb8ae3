# needs: numpy
# tests: sorted
import numpy as np


def solve(numbers):
    numbers[:] = np.sort(numbers)
    return numbers
