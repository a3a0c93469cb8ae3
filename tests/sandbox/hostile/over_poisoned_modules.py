# status: failed
# Changes loaded modules; finding them changed would be the right answer.
import math


def solve(x):
    if hasattr(math, "poisoned"):
        return x + 1
    math.poisoned = True
    return None
