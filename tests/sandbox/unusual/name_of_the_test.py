def check(value):
    return value + 1


def candidate(value):
    return check(value)


def solve(x):
    return candidate(x)
