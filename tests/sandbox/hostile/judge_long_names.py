# status: failed, runtime_error, output_exceeded, timeout
# Classes of named tuples are kept where tests run, and so are their names.
import collections


def solve(x):
    return [collections.namedtuple(f"N{n}" + "a" * 3_000_000, "b")(1) for n in range(5)]
