# status: failed, runtime_error, infra_error
# tests: expected
# The tests compare with a name that nothing of theirs defines.
EXPECTED = -1


def solve(x):
    return -1
