# status: failed
# kind: call
# limit: 20
# A dict whose keys all have the same hash: quick to make here, slow to take in there.
def solve(x):
    modulus = (1 << 61) - 1
    return {modulus * number: 0 for number in range(1, 3000)}
