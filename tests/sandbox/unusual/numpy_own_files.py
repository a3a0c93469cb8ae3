# needs: numpy
import numpy as np


def solve(x):
    np.save("kept.npy", np.arange(x + 2))
    return np.load("kept.npy", mmap_mode="r")[-1]
