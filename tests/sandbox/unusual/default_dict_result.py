# assert: solve(3) == {0: [0], 1: [1, 1], 2: [2, 2, 2]}
import collections


def solve(x):
    groups = collections.defaultdict(list)
    for n in range(x):
        for _ in range(n + 1):
            groups[n].append(n)
    return groups
