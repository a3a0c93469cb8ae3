# status: failed, runtime_error, output_exceeded
# limit: 5
import os


def solve(x):
    for number in range(1000):
        with open(f"a{number}", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, 60 << 20)
    return None
