# status: output_exceeded
def solve(x):
    return "x" * (40 << 20)
