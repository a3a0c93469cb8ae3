# assert: solve(3)(1) == 4
def solve(x):
    return lambda y: x + y
