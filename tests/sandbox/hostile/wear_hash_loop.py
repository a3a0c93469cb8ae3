# status: timeout
# limit: 1
# Long work in C, where no signal is looked at.
def solve(x):
    return sum(range(10**12)) or bytes(10**9).count(b"\1" * 1000)
