# assert: solve([3, [1, 2]]) == [[1, 2], 3]
# setup: given = [[5], {1: [2]}, {3}]
# assert: solve(given) == [{3}, {1: [2]}, [5]] and given == [{3}, {1: [2]}, [5]]
def solve(x):
    x.reverse()
    return x
