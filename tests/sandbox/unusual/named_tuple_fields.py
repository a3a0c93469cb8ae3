# assert: solve(3).low == 3 and solve(3)[1] == 4
from collections import namedtuple
P = namedtuple("P", "low high")
def solve(x):
    return P(x, x + 1)
