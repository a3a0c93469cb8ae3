# assert: solve(2) == {(0, 0): frozenset(), (1, 1): frozenset({0})}
def solve(x):
    return {(n, n): frozenset(range(n)) for n in range(x)}
