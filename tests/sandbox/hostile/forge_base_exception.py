# status: runtime_error
# tests: swallow
class Quiet(BaseException):
    pass


def solve(x):
    raise Quiet
