# needs: numpy
# assert: solve(3)
# limit: 20
import numpy as np


def solve(x):
    rng = np.random.default_rng(x)
    a = rng.random((200, 200))
    u, s, v = np.linalg.svd(a)
    return bool(np.allclose(u * s @ v, a) and np.allclose(np.linalg.inv(a) @ a, np.eye(200)))
