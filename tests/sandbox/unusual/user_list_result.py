# assert: solve(3) == [3, 4]
import collections
def solve(x):
    return collections.UserList([x, x+1])
