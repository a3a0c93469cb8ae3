# assert: all(solve(n) == n + 1 for n in range(2000))
# limit: 20
def solve(x):
    return x + 1
