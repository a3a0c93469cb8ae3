# -*- coding: latin-1 -*-
def solve(x):
    naïve = x
    return naïve + len("é")
