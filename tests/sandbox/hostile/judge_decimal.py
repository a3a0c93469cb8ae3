# status: failed
# tests: integer
# A few characters; as an integer, a billion digits.
import decimal


def solve(x):
    return decimal.Decimal("1E+999999999")
