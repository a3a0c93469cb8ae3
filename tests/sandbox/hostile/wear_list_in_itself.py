# status: output_exceeded, runtime_error, failed, memory_exceeded
import collections, sys
sys.setrecursionlimit(10**8)
def solve(x):
    a = collections.UserList()
    a.data = a
    return a
