# status: failed, runtime_error, output_exceeded
# tests: chained
# limit: 20
def solve(values):
    return [values]
