# status: failed
# kind: call
# limit: 20
# A set of tuples that are slow to hash and never equal.
def solve(x):
    return {(number,) * 300 for number in range(2500)}
