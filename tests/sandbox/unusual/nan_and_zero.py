# kind: float
def solve(x):
    return [float("nan"), -0.0, x / 3]
