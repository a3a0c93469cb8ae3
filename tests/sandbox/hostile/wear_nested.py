# status: output_exceeded
def solve(x):
    nested = []
    for _ in range(1_000_000):
        nested = [nested]
    return nested
