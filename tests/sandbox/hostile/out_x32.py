# status: runtime_error
# The system calls of the x32 kind, which have a bit set.
import ctypes


def solve(x):
    return x + 1 if ctypes.CDLL(None).syscall(0x40000000 | 39) > 0 else None
