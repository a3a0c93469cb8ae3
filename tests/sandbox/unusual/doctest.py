# kind: stdin
def f(x):
    """
    >>> f(3)
    4
    """
    return x + 1
import doctest
doctest.testmod()
print(f(int(input())))
