# status: timeout
# limit: 1
def solve(x):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
