# status: memory_exceeded, runtime_error, timeout
# limit: 10
import sys

sys.setrecursionlimit(1 << 30)


def solve(x, held=None):
    return solve(x, bytearray(1 << 20))
