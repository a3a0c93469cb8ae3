# needs: numpy
# status: output_exceeded
# Many values made of few: arrays in an array, each within bounds.
import numpy as np


def solve(x):
    inner = np.broadcast_to(np.int8(0), 900_000)
    found = np.empty(1_000, dtype=object)
    for place in range(len(found)):
        found[place] = inner
    return found
