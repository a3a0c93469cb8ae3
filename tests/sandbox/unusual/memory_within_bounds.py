# limit: 20
def solve(x):
    hoard = bytearray(150 << 20)
    for place in range(0, len(hoard), 4096):
        hoard[place] = 1
    return x + hoard[0]
