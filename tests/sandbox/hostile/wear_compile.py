# status: timeout, memory_exceeded, runtime_error, syntax_error
# limit: 2
# Code that is slow to compile, or breaks the compiler.
def solve(x):
    for source in ("(" * 100_000, "-" * 1_000_000 + "1", "x = " + "[" * 90 + "]" * 90, "1+" * 500_000 + "1"):
        try:
            exec(compile(source, "x", "exec"))
        except (SyntaxError, RecursionError, MemoryError):
            pass
    while True:
        pass
