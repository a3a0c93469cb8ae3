# status: failed
def solve(x):
    return int
