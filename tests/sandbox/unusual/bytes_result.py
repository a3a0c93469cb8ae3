# assert: solve(3) == b"\x00\x01\x02" and solve(2) == bytearray(2 * b"\0") + b"" or solve(2) == b"\0\1"
def solve(x):
    return bytearray(range(x)) if x % 2 else bytes(range(x))
