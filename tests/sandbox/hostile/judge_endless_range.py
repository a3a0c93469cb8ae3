# status: failed
# kind: list
# More elements than a length can say.
def solve(x):
    return range(10**30)
