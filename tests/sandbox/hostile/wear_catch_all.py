# status: timeout
# limit: 1
# Comes back from every end that Python knows.
import atexit
import time


def again():
    while True:
        try:
            time.sleep(1)
        except BaseException:
            pass


atexit.register(again)


def solve(x):
    try:
        raise SystemExit
    finally:
        again()
