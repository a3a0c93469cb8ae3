# needs: numpy
# setup: import datetime
# assert: solve(3) == [datetime.date(2024, 2, 3), datetime.timedelta(days=3)]
import numpy as np


def solve(x):
    return [np.datetime64("2024-02-03"), np.timedelta64(x, "D")]
