# setup: from decimal import Decimal
# assert: solve("1.10") == Decimal("2.10") and str(solve("1.10")) == "2.10"
import decimal


def solve(x):
    return decimal.Decimal(x) + 1
