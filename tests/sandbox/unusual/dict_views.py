# assert: solve(2).keys() == {0, 1} if hasattr(solve(2), "keys") else sorted(solve(2)) == [0, 1]
def solve(x):
    return {n: n for n in range(x)}.keys()
