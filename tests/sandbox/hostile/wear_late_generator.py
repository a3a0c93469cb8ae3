# status: timeout
# limit: 1
# kind: list
# The call returns at once; its result never ends to come.
import time


def solve(x):
    while True:
        yield time.sleep(0.3)
