# status: failed, runtime_error, output_exceeded
# tests: chained
# limit: 20
# Each answer goes back as the next argument, and doubles.
def solve(values):
    return [values, values] if values != 3 else [1] * 200_000
