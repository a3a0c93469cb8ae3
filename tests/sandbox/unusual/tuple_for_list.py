# kind: list
def solve(x):
    return tuple(range(x))
