# assert: solve(solve(3))(1) == 4
# A function that it has returned comes back to it as itself.
def solve(x):
    return x if callable(x) else lambda y: x + y
