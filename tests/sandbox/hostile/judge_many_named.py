# status: failed, runtime_error, output_exceeded, timeout, memory_exceeded
# limit: 20
import collections
def solve(x):
    return [type("P%d" % n, (tuple,), {"_fields": ("a%d" % n,), "_asdict": None})((n,)) for n in range(100000)]
