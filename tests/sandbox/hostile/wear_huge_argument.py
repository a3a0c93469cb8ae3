# status: output_exceeded, failed
# tests: sorted
# Hands its argument back far larger than it came.
def solve(numbers):
    numbers[:] = ["x" * (1 << 20)] * 60
    return sorted(numbers)
