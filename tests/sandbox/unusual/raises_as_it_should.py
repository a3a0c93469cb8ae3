# setup: def error_of(value):
# setup:     try:
# setup:         solve(value)
# setup:     except ValueError as error:
# setup:         return str(error)
# assert: error_of(-1) == "negative: -1"
# assert: solve(4) == 2
class Negative(ValueError):
    pass


def solve(x):
    if x < 0:
        raise Negative(f"negative: {x}")
    return int(x**0.5)
