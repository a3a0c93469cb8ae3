import functools


class Adder:
    def __init__(self, step):
        self.step = step

    def __call__(self, x):
        return x + self.step


solve = functools.partial(Adder(1))
