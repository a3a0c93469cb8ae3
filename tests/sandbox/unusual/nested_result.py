# assert: repr(solve(100)).count("[") == 100
def solve(x):
    nested = []
    for _ in range(x - 1):
        nested = [nested]
    return nested
