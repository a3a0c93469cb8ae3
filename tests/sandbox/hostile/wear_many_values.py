# status: output_exceeded, timeout
# limit: 5
def solve(x):
    level = []
    for _ in range(40):
        level = [level, level]
    return level
