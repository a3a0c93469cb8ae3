# status: timeout, runtime_error
# limit: 1
# An exception whose message never comes.
class Slow(Exception):
    def __str__(self):
        while True:
            pass


def solve(x):
    raise Slow
