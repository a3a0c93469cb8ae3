# needs: numpy
# assert: solve(3) == {4: ([1.0, 2.0], {5})}
import numpy as np


def solve(x):
    return {np.int64(x + 1): (np.array([1.0, 2.0]), {np.uint8(5)})}
