# kind: list
import itertools


def numbers():
    yield from itertools.count()


def solve(x):
    pairs = ((n, n) for n in numbers())
    return itertools.islice(itertools.chain.from_iterable([p[0]] for p in pairs), x)
