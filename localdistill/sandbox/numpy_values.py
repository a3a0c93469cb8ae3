"""What numpy's scalars and arrays cross as: plain values. numpy itself is never imported here.

A scalar crosses as the Python number, text or date that ``item()`` makes of it (float64 and str_
are subclasses of Python's types, and cross as these); a longdouble as the nearest float; an array
as the list, of lists for more dimensions, of what its elements cross as; one without dimensions as
its element. Whoever looks at the result needs no numpy, and cannot tell an array from a list.
Subclasses cross as their base, by numpy's own methods and not by theirs: a masked array unmasked.
"""

from __future__ import annotations

import sys
from typing import Any


def elements(value: Any) -> int | None:
    """How many values a scalar or an array of numpy's holds; None where it is neither."""
    numpy: Any = sys.modules.get("numpy")
    if not hasattr(numpy, "ndarray"):  # not loaded, or a module of the candidate's by this name
        return None
    if issubclass(type(value), numpy.ndarray):
        return int(numpy.ndarray.size.__get__(value))
    return 1 if issubclass(type(value), numpy.generic) else None


def plain(value: Any) -> Any:
    """The plain value, or list of objects, that a scalar or an array of numpy's crosses as."""
    numpy: Any = sys.modules["numpy"]
    kind = type(value)
    if issubclass(kind, numpy.ndarray):
        element = numpy.ndarray.dtype.__get__(value).type
        if element in _narrower(numpy):
            value = numpy.ndarray.astype(value, _narrower(numpy)[element])
        return numpy.ndarray.tolist(value)
    for wide, narrow in _narrower(numpy).items():
        if issubclass(kind, wide):
            return numpy.generic.astype(value, narrow)
    return numpy.generic.item(value)


def _narrower(numpy: Any) -> dict[Any, Any]:
    """The types that Python has no number for, each with the nearest that crosses."""
    return {numpy.longdouble: numpy.float64, numpy.clongdouble: numpy.complex128}
