# status: failed, runtime_error, output_exceeded
# limit: 5
# A tree that recursion cannot take away.
import os


def solve(x):
    for _ in range(3000):
        os.mkdir("d")
        os.chdir("d")
    return None
