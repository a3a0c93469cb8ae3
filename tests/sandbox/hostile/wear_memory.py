# status: memory_exceeded
# limit: 10
def solve(x):
    hoard = []
    while True:
        hoard.append(bytearray(1 << 20))
