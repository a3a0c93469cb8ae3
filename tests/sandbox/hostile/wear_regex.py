# status: timeout
# limit: 1
import re


def solve(x):
    return re.match(r"(a+)+$", "a" * 60 + "b")
