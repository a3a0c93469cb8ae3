# setup: from collections import Counter
# assert: solve(3) == Counter("aaab") and solve(3)["z"] == 0
# assert: solve(1).most_common(1) == [("a", 1)] or solve(1)["b"] == 1
import collections


def solve(x):
    return collections.Counter("a" * x + "b")
