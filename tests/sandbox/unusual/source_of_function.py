import inspect
def solve(x):
    assert "inspect" in inspect.getsource(solve)
    return x + 1
