# needs: numpy
# status: failed, runtime_error
# What a pickle in an array's file makes numpy do.
import os

import numpy as np


class Planted:
    def __reduce__(self):
        return os.mkdir, ("/var/tmp/localdistill-planted",)


def solve(x):
    np.save("planted.npy", np.array([Planted(), 1], dtype=object), allow_pickle=True)
    np.load("planted.npy", allow_pickle=True)
    return x + 1
