# status: failed, output_exceeded
# kind: call
# limit: 10
# Quick to make without reducing it, minutes to reduce.
import fractions


def solve(x):
    huge = fractions.Fraction(1)
    huge._numerator = (1 << 30_000_000) + 1
    huge._denominator = (1 << 29_999_999) + 5
    return huge
