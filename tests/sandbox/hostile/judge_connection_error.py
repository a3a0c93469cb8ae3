# status: runtime_error
# tests: swallow
class Closed(BaseException):
    pass


def solve(x):
    raise Closed("the pit has let go")
