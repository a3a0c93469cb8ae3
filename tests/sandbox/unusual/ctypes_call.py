import ctypes
def solve(x):
    return ctypes.CDLL("libc.so.6").abs(-(x + 1))
