# status: failed
# kind: list
# Short to say, and 8 GB as a list.
def solve(x):
    return range(10**9)
