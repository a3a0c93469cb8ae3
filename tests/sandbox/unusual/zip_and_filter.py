# assert: list(solve(3)) == [(0, "a"), (1, "b"), (2, "c")]
# assert: [n for n, _ in solve(2)] == [0, 1]
def solve(x):
    return zip(filter(lambda n: n < x, range(100)), "abcdefgh")
