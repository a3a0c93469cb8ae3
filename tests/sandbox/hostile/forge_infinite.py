# status: failed
# tests: tolerance
def solve(x):
    return float("inf")
