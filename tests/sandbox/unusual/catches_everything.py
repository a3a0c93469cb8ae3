import sys


def solve(x):
    try:
        sys.exit("caught below")
    except BaseException:
        pass
    finally:
        x += 1
    try:
        eval("exit()")
    except SystemExit:
        return x
