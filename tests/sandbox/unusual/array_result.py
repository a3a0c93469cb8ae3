# assert: list(solve(3)) == [3, 4]
from array import array
def solve(x):
    return array("i", [x, x + 1])
