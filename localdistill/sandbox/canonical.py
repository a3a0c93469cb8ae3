"""Values written down so that equal ones have equal texts. Runs where no candidate code does.

Equal as a test would find them, nearly: numbers by their value (1, 1.0 and True are one), floats to
nine digits, sets and dicts without regard to order; but a list is no tuple, and text no bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

from localdistill.sandbox.codec import Record

_DIGITS, _NOTHING = 9, 1e-9
_EXACT = 1 << 53  # up to which a float holds every whole number


def canonical(value: Any) -> str:
    """``value``, as ``decode`` gives it, as text."""
    return "".join(_parts(value))


def _parts(value: Any) -> Iterator[str]:
    if isinstance(value, bool | int):
        yield f"{int(value):x}"
    elif isinstance(value, float):
        yield _number(value)
    elif isinstance(value, complex):
        yield f"({_number(value.real)} {_number(value.imag)}j)"
    elif isinstance(value, Mapping):
        pairs = sorted((canonical(key), canonical(each)) for key, each in value.items())
        yield "{" + ",".join(f"{key}:{each}" for key, each in pairs) + "}"
    elif isinstance(value, Set):
        yield "set(" + ",".join(sorted(map(canonical, value))) + ")"
    elif isinstance(value, list | tuple | range | Iterator) or _is_sequence(value):
        yield from _sequence(value)
    else:
        yield f"{type(value).__name__} {_text(value)!r}"


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | bytearray)


def _sequence(values: Iterable[Any]) -> Iterator[str]:
    name = "tuple" if isinstance(values, tuple) else "list" if isinstance(values, list) else "other"
    yield f"{name}["
    for each in values:
        yield from _parts(each)
        yield ","
    yield "]"


def _text(value: Any) -> Any:
    return canonical(vars(value)) if isinstance(value, Record) else value


def _number(value: float) -> str:
    if abs(value) < _NOTHING:
        return "0"
    rounded = float(f"{value:.{_DIGITS}g}")
    if rounded.is_integer() and abs(rounded) < _EXACT:
        return f"{int(rounded):x}"  # as an int has it
    return repr(rounded)
