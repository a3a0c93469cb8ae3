# needs: numpy
# setup: from fractions import Fraction
# assert: solve(3) == [None, "a", Fraction(1, 3), [1, 2], {"k": [0, 1]}]
from fractions import Fraction

import numpy as np


def solve(x):
    found = np.empty(5, dtype=object)
    found[:] = [None, "a", Fraction(1, x), np.array([1, 2]), {"k": np.arange(2)}]
    return found
