# needs: numpy
# status: failed, runtime_error, output_exceeded
# limit: 10
import numpy as np


def solve(x):
    kept = [np.memmap(f"{n}.bin", dtype="u1", mode="w+", shape=(60 << 20,)) for n in range(4)]
    for each in kept:
        each[:] = 1
    return None
