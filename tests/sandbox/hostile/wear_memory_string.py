# status: memory_exceeded
def solve(x):
    return len("x" * (1 << 40))
