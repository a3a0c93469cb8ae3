# status: output_exceeded, timeout
# limit: 5
import itertools


def solve(x):
    return itertools.count()
