# setup: from fractions import Fraction
# assert: solve(3) == Fraction(2, 6) and solve(3) * 3 == 1
import fractions


def solve(x):
    return fractions.Fraction(1, x)
