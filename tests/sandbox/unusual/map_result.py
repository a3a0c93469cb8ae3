# kind: list
def solve(x):
    return map(int, "0123456789"[:x])
