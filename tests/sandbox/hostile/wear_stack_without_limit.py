# status: memory_exceeded, runtime_error, timeout
# kind: stdin
# limit: 3
import resource, sys, re, threading
resource.setrlimit(resource.RLIMIT_STACK, (-1, -1))
sys.setrecursionlimit(10**9)
class A:
    def __repr__(self): return repr(self.x)
class B:
    pass
def f(n):
    return max([n], key=f)
print(f(1))
