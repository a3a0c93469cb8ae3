# setup: from collections import OrderedDict
# assert: solve(2) == OrderedDict([(1, 1), (0, 0)])
# assert: list(solve(3)) == [2, 1, 0]
import collections


def solve(x):
    return collections.OrderedDict((n, n) for n in reversed(range(x)))
