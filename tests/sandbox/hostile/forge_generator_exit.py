# status: runtime_error
# tests: swallow
def solve(x):
    raise GeneratorExit
