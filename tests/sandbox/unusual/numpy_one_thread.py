# needs: numpy
# Linear algebra has one thread: others would count against the limit on processes.
import ctypes
import os

import numpy


def solve(x):
    libraries = os.path.join(os.path.dirname(numpy.__file__), "..", "numpy.libs")
    (name,) = [each for each in os.listdir(libraries) if "openblas" in each]
    library = ctypes.CDLL(os.path.join(libraries, name))
    return x + library.scipy_openblas_get_num_threads64_()
