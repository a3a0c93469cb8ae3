# needs: numpy
def solve(x):
    import numpy.polynomial as poly
    from numpy import fft, linalg, ma, random

    return round(abs(fft.fft([x, 1])[0])) + len({poly, linalg, ma, random}) - 4
