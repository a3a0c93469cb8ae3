import enum


class Colour(enum.IntEnum):
    FOUR = 4
    EIGHT = 8


def solve(x):
    return Colour(x + 1)
