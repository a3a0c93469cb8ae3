import random
import secrets
import uuid


def solve(x):
    random.seed(x)
    first = random.random()
    random.seed(x)
    return x + (first == random.random()) + 0 * secrets.randbelow(9) + 0 * uuid.uuid4().int
