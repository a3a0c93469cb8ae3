# needs: numpy
# assert: solve(3) == [4, 4.5, 4j, True, "4", b"4"]
# assert: [type(each) for each in solve(3)] == [int, float, complex, bool, str, bytes]
import numpy as np


def solve(x):
    return [np.int64(4), np.float64(4.5), np.complex128(4j), np.bool_(True), np.str_("4"), np.bytes_(b"4")]
