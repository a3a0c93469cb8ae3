# assert: solve(3) == b"\x03\x03"
def solve(x):
    return memoryview(bytes([x, x]))
