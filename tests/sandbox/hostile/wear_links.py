# status: failed, runtime_error, output_exceeded, timeout
# limit: 5
# One file under a hundred thousand names, and as many links of the other sort.
import os


def solve(x):
    open("one", "w").close()
    for number in range(100_000):
        os.symlink("one" * 60, f"s{number}")
        os.link("one", f"l{number}")
    return None
