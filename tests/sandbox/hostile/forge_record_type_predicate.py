# status: failed, runtime_error
# assert: solve('a').isupper()
# A type is called like a function, and what it makes is true.
class Text:
    isupper = object


def solve(x):
    return Text()
