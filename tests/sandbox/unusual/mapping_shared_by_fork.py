# An anonymous mapping that parent and child both see.
import mmap
import os


def solve(x):
    shared = mmap.mmap(-1, mmap.PAGESIZE)
    child = os.fork()
    if child == 0:
        shared[0] = x + 1
        os._exit(0)
    os.waitpid(child, 0)
    return shared[0]
