# status: timeout
# limit: 1
# What a function prints goes nowhere, and costs nobody anything.
def solve(x):
    while True:
        print("x" * 65536)
