# status: runtime_error, memory_exceeded, timeout
import sys

sys.setrecursionlimit(1 << 30)


def solve(x):
    return solve(x)
