# status: failed
# tests: text
# limit: 20
def solve(x):
    modulus = (1 << 61) - 1
    return {modulus * number for number in range(1, 3000)}
