# status: timeout
# limit: 1
# The text of an integer of ten million digits.
def solve(x):
    return len(str(1 << 33_000_000))
