# status: failed, runtime_error, output_exceeded, timeout
# limit: 5
def solve(x):
    for number in range(100000):
        open(f"n{number}", "w").close()
    return None
