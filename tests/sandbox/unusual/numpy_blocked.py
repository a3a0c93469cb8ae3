# needs: numpy
# A usual way to try what a program does without a package.
import sys

import numpy

sys.modules["numpy"] = None


def solve(x):
    return x + 1
