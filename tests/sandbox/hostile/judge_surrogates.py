# status: failed
# tests: text
def solve(x):
    return "\ud800\x00\x1b[31m" * 1000
