# status: timeout
# limit: 1
def solve(x):
    return 9**9**9 % 10
