# status: failed, runtime_error, output_exceeded, timeout
# limit: 5
import os


def solve(x):
    for number in range(200_000):
        os.mkdir(f"d{number}")
    return None
