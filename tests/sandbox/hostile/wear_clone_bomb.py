# status: failed, runtime_error, memory_exceeded, output_exceeded, timeout
# limit: 2
# A fork bomb of children that no wait reports.
import ctypes


def solve(x):
    clone = ctypes.CDLL(None).syscall
    while True:
        clone(56, 0x8000, 0, 0, 0, 0)
