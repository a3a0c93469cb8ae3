# status: runtime_error
# kind: none
# The expected value is None, and nothing is defined that could return it.
def other(x):
    return None
