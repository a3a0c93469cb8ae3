# status: failed, runtime_error
# kind: call
# Every comparison with it is an error.
import decimal


def solve(x):
    return decimal.Decimal("sNaN")
