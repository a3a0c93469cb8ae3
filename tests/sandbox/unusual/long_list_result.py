# assert: solve(200_000) == list(range(200_000))
# limit: 20
def solve(x):
    return list(range(x))
