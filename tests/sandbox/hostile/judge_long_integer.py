# status: failed, timeout
# tests: text
# limit: 20
# An integer of ten million digits, which the tests write out.
def solve(x):
    return 1 << 33_000_000
