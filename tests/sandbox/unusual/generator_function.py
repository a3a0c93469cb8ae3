# kind: list
def solve(x):
    n = 0
    while n < x:
        yield n
        n += 1
