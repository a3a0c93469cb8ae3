# needs: numpy
# status: output_exceeded
# The same from a class that says that it is small.
import numpy as np


class Bent(np.ndarray):
    size = 1
    shape = (1,)


def solve(x):
    return np.broadcast_to(np.int8(0), (1 << 20, 1 << 20)).view(Bent)
