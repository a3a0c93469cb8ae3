# status: failed, runtime_error, output_exceeded, timeout, memory_exceeded
def solve(x):
    return [len] * 900000
