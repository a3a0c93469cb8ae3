# kind: long
def solve(x):
    return 10**5000 + x
