# status: timeout, runtime_error, failed
# limit: 1
# A parent that waits where only a fatal signal reaches it.
import ctypes


def solve(x):
    libc = ctypes.CDLL(None)
    libc.syscall(56, 0x4000 | 17, 0, 0, 0, 0)
    while True:
        pass
