# needs: numpy
# status: failed, runtime_error
# Files and memory by numpy's own ways to read them.
import os

import numpy as np


def solve(x):
    for path in ("/etc/shadow", f"/proc/{os.getppid()}/mem", "/proc/1/mem", "/proc/self/mem", "/dev/mem", "/dev/kmem"):
        for read in (lambda: np.fromfile(path, "u1", 16), lambda: np.memmap(path, "u1", "r", 0, (16,)), lambda: np.loadtxt(path, str)):
            try:
                read()
                return x + 1
            except (OSError, ValueError):
                pass
    return None
