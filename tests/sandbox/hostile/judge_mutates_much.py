# status: memory_exceeded, failed, output_exceeded, runtime_error
# tests: sorted
# Hands back an argument that has grown to thirty million elements.
def solve(numbers):
    numbers.extend([0] * 30_000_000)
    return []
