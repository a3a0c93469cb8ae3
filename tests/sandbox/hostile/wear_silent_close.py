# status: timeout, runtime_error
# limit: 1
# Closes everything and stays.
import os
import time


def solve(x):
    os.closerange(0, 256)
    while True:
        time.sleep(100)
