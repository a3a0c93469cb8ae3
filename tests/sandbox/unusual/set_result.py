# assert: solve(3) == {"item 2", "item 0", "item 1"}
# assert: solve(0) == set()
def solve(x):
    return {f"item {n}" for n in range(x)}
