# status: runtime_error
def solve(x):
    raise KeyboardInterrupt
