import sys


def solve(x):
    print("x" * 1_000_000)
    print("y" * 1_000_000, file=sys.stderr)
    return x + 1
