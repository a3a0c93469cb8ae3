# needs: numpy
# status: failed, runtime_error, memory_exceeded, timeout
# limit: 3
# More threads than it was given.
import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "128"


def solve(x):
    import numpy as np

    a = np.random.rand(500, 500)
    for _ in range(20):
        a = a @ a / np.linalg.norm(a)
    return None
