# kind: list
def solve(x):
    return range(x)
