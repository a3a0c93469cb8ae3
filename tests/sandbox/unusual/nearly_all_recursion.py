def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)
def solve(x):
    return x + 1 + depth(985) - 985
