# status: failed
def check(candidate):
    return None


def solve(x):
    return -1
