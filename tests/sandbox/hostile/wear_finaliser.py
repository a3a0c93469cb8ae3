# status: timeout, failed, runtime_error, memory_exceeded
# limit: 1
# An object that does not go away, and makes others as it goes.
class Again:
    def __del__(self):
        while True:
            Again()


def solve(x):
    Again()
    return None
