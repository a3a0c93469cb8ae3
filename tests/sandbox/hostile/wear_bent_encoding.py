# status: failed, runtime_error, timeout, output_exceeded
# limit: 2
# A container that grows while it is read.
class Growing(list):
    def __iter__(self):
        while True:
            yield 1


class Items(dict):
    def items(self):
        while True:
            yield 1, 2


def solve(x):
    return [Growing(), Items()]
