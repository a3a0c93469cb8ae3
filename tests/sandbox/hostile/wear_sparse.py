# status: failed, runtime_error, output_exceeded
# A file that says it is a terabyte long.
import os


def solve(x):
    with open("sparse", "wb") as file:
        os.truncate(file.fileno(), 1 << 40)
    return x + 1
