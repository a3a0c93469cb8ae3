# status: memory_exceeded, runtime_error, failed
# limit: 10
# Shared pages that nothing maps any more but one, which keeps all the others.
import ctypes

libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
SIZE = 64 << 20


def solve(x):
    for _ in range(64):
        address = libc.mmap(None, SIZE, 3, 0x21, -1, 0)
        if address in (None, ctypes.c_void_p(-1).value):
            raise MemoryError
        ctypes.memset(address, 1, SIZE)
        libc.munmap(address + 4096, SIZE - 4096)
    return x + 1
