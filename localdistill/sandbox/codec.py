"""Plain values between a candidate's process and the judge, as bytes. Never pickle, never eval.

What crosses: None, bool, int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset,
dict, range, deque, Counter, OrderedDict, Decimal, Fraction, date, datetime, time, timedelta, and
array, named tuples, and the built-in types themselves. A subclass crosses as its base; defaultdict
and ChainMap as dict, UserList and its like as what they wrap, memoryview as bytes; generators, map,
zip and whatever else can be iterated as an iterator over at most ``MAX_ITEMS`` elements; a
coroutine as one that has run; an object of a candidate's class as a record of its attributes and
methods; numpy scalars and arrays as ``numpy_values`` says. Functions stay where they are,
as a ``Handle``, where the caller keeps them. Anything else does not cross. The decoder believes
nothing: size, depth and number of values are capped.
"""

from __future__ import annotations

import collections
import enum
import functools
import itertools
import struct
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from localdistill.sandbox import numpy_values

MAX_BYTES = 32 << 20
MAX_DEPTH = 150
MAX_VALUES = 1_000_000
MAX_ITEMS = 500_000  # of one generator
MAX_INT_BYTES = 4 << 20  # some ten million digits
MAX_FIELDS = 100  # of a named tuple
MAX_NAME = 200  # characters of one of its names: the classes are kept
OWN_MODULE = "candidate"  # of the classes that a candidate defines

_size = struct.Struct("<I")
_double = struct.Struct("<d")
_pair = struct.Struct("<dd")


class CodecError(Exception):
    """A value that cannot cross, or bytes that are not the encoding of one."""


class TooLarge(CodecError):
    """A value over a cap."""


class OfACandidate(CodecError):
    """A value of a candidate's class, which has crossed as a record and cannot cross again."""


class Record:
    """Attributes of an object whose class did not cross: to be looked at, and equal to nothing."""


class Handle:
    """Stands for an object that stays in the candidate's process: its number there."""

    def __init__(self, number: int) -> None:
        object.__setattr__(self, "_handle_number", number)  # a subclass passes attributes on


# Types that may be named across the border, as an argument or a result.
TYPES = {
    kind.__name__: kind
    for kind in (bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict, object)
}


def encode(value: Any, keep: Callable[[Any], Handle] | None = None) -> bytes:
    """Encode ``value``; ``keep`` makes a handle of a function in it, where one may stay here.

    Raises:
        CodecError: it holds something that does not cross, or is over a cap.
    """
    encoder = _Encoder(keep)
    encoder.put(value, 0)
    return b"".join(encoder.parts)


class _Encoder:
    def __init__(self, keep: Callable[[Any], Handle] | None) -> None:
        self.keep = keep
        self.parts: list[bytes] = []
        self.values = 0
        self.size = 0

    def put(self, value: Any, depth: int) -> None:
        self.values += 1
        if depth > MAX_DEPTH:
            raise TooLarge(f"nested deeper than {MAX_DEPTH} levels, or holding itself")
        if self.values > MAX_VALUES:
            raise TooLarge(f"more than {MAX_VALUES} values")
        writer = _WRITERS.get(type(value))
        if writer is None:
            writer = _writer_of_base(value)
        writer(self, value, depth)

    def blob(self, tag: bytes, data: bytes) -> None:
        self.size += len(data) + 5
        if self.size > MAX_BYTES:
            raise TooLarge(f"larger than {MAX_BYTES} bytes")
        self.parts.append(tag + _size.pack(len(data)))
        self.parts.append(data)

    def sequence(self, tag: bytes, values: Iterable[Any], depth: int) -> None:
        place = len(self.parts)
        self.parts.append(b"")
        count = 0
        for each in values:
            self.put(each, depth + 1)
            count += 1
        self.parts[place] = tag + _size.pack(count)


_Writer = Callable[[_Encoder, Any, int], None]


def _sequence(tag: bytes, iterate: Callable[[Any], Iterable[Any]]) -> _Writer:
    return lambda out, value, depth: out.sequence(tag, iterate(value), depth)


def _blob(tag: bytes, to_bytes: Callable[[Any], bytes]) -> _Writer:
    return lambda out, value, depth: out.blob(tag, to_bytes(value))


def _fixed(tag: bytes, to_bytes: Callable[[Any], bytes]) -> _Writer:
    return lambda out, value, depth: out.parts.append(tag + to_bytes(value))


def _int_bytes(value: int) -> bytes:
    # Called on the type, here and below: a subclass may have bent its own methods.
    bits = int.bit_length(value)
    if bits > MAX_INT_BYTES * 8 - 8:
        raise TooLarge("an integer of too many digits")
    return int.to_bytes(value, bits // 8 + 1, "little", signed=True)


def _flat_pairs(value: dict[Any, Any]) -> Iterator[Any]:
    return (part for pair in list(dict.items(value)) for part in pair)


def _put_named(out: _Encoder, value: Any, depth: int) -> None:
    fields = type(value)._fields
    out.sequence(b"n", (type(value).__name__, fields, *tuple.__iter__(value)), depth)


def _put_attributes(out: _Encoder, value: Any, depth: int) -> None:
    slots = [name for kind in type(value).__mro__ for name in kind.__dict__.get("__slots__", ())]
    found = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    if out.keep is not None:
        kind = type(value)
        found |= {name: getattr(value, name) for name in dir(kind) if callable(getattr(kind, name))}
    found |= getattr(value, "__dict__", {})
    shown = {name: each for name, each in found.items() if not name.startswith("_")}
    out.sequence(b"R", _flat_pairs(shown), depth)


def _put_coroutine(out: _Encoder, value: Any, depth: int) -> None:
    import asyncio

    out.sequence(b"W", [asyncio.run(value)], depth)


def _put_function(out: _Encoder, value: Any, depth: int) -> None:
    if out.keep is None:
        raise CodecError(f"a value of type {type(value).__name__}")
    out.put(out.keep(value), depth)


def _refuse_record(out: _Encoder, value: Any, depth: int) -> None:
    raise OfACandidate("a value of a class of the candidate's")


def _items_of_iterator(value: Any) -> list[Any]:
    items = list(itertools.islice(value, MAX_ITEMS + 1))
    if len(items) > MAX_ITEMS:
        raise TooLarge(f"an iterator of more than {MAX_ITEMS} elements")
    return items


def _type_name(value: type) -> bytes:
    if TYPES.get(value.__name__) is not value:
        raise CodecError(f"the class {value.__name__}")
    return value.__name__.encode()


def _date_bytes(kind: Any) -> Callable[[Any], bytes]:
    return lambda value: f"{kind.__name__} {kind.isoformat(value)}".encode()


# A value whose type is not here is tried against these in order, as their subclass.
_BASES: list[tuple[type, _Writer]] = [
    (type(None), _fixed(b"N", lambda value: b"")),
    (bool, _fixed(b"T", lambda value: b"\1" if value else b"\0")),
    (int, _blob(b"i", _int_bytes)),
    (float, _fixed(b"d", _double.pack)),
    (complex, _fixed(b"c", lambda value: _pair.pack(value.real, value.imag))),
    (str, _blob(b"s", lambda value: str.encode(value, "utf-8", "surrogatepass"))),
    (bytes, _blob(b"b", lambda value: bytes.__getitem__(value, slice(None)))),
    (bytearray, _blob(b"a", bytes)),
    (list, _sequence(b"l", list.__iter__)),
    (tuple, _sequence(b"t", tuple.__iter__)),
    (set, _sequence(b"S", set.__iter__)),
    (frozenset, _sequence(b"z", frozenset.__iter__)),
    (collections.Counter, _sequence(b"C", _flat_pairs)),
    (collections.OrderedDict, _sequence(b"O", _flat_pairs)),
    (dict, _sequence(b"m", _flat_pairs)),
    (collections.deque, _sequence(b"q", collections.deque.__iter__)),
    (range, _sequence(b"r", lambda value: (value.start, value.stop, value.step))),
    (
        Handle,
        _blob(b"h", lambda value: _int_bytes(object.__getattribute__(value, "_handle_number"))),
    ),
    (Record, _refuse_record),
    (type, _blob(b"y", _type_name)),
    (type({}.keys()), _sequence(b"k", list)),
    (type({}.values()), _sequence(b"v", list)),
    (type({}.items()), _sequence(b"x", list)),
    (memoryview, _blob(b"b", bytes)),
    (collections.ChainMap, lambda out, value, depth: out.put(dict(value), depth)),
    (collections.UserDict, lambda out, value, depth: out.put(value.data, depth)),
    (collections.UserList, lambda out, value, depth: out.put(value.data, depth)),
    (collections.UserString, lambda out, value, depth: out.put(value.data, depth)),
    (types.CoroutineType, _put_coroutine),
]
_WRITERS: dict[type, _Writer] = dict(_BASES)
_put_iterator = _sequence(b"g", _items_of_iterator)


def _put_numpy(out: _Encoder, value: Any, depth: int) -> None:
    # An array may hold more than memory: one number can stand for a whole dimension.
    if (numpy_values.elements(value) or 0) > MAX_VALUES:
        raise TooLarge(f"an array of more than {MAX_VALUES} values")
    out.put(numpy_values.plain(value), depth + 1)


@functools.cache
def load_rare() -> None:
    """Learn the types of modules that are loaded only where they are met: each costs every fork."""
    import array
    import datetime
    import decimal
    import fractions

    rare: list[tuple[type, _Writer]] = [
        (decimal.Decimal, _blob(b"D", lambda value: decimal.Decimal.__str__(value).encode())),
        (fractions.Fraction, _sequence(b"Q", lambda value: (value.numerator, value.denominator))),
        (datetime.datetime, _blob(b"e", _date_bytes(datetime.datetime))),
        (datetime.date, _blob(b"e", _date_bytes(datetime.date))),
        (datetime.time, _blob(b"e", _date_bytes(datetime.time))),
        (
            datetime.timedelta,
            _sequence(b"w", lambda value: (value.days, value.seconds, value.microseconds)),
        ),
        (
            array.array,
            _sequence(b"A", lambda value: (value.typecode, array.array.tobytes(value))),
        ),
    ]
    _BASES.extend(rare)
    _WRITERS.update(rare)


def _writer_of_base(value: Any) -> _Writer:
    load_rare()
    kind = type(value)
    if issubclass(kind, tuple) and _has_fields(kind):
        return _put_named
    for base, writer in _BASES:
        if issubclass(kind, base):
            return writer
    if numpy_values.elements(value) is not None:
        return _put_numpy
    if hasattr(kind, "__next__") or hasattr(kind, "__iter__"):
        return _put_iterator
    if callable(value):
        return _put_function
    if kind.__module__ == OWN_MODULE and not issubclass(kind, BaseException | enum.Enum):
        return _put_attributes
    raise CodecError(f"a value of type {kind.__name__}")


def _has_fields(kind: type) -> bool:
    fields = getattr(kind, "_fields", None)
    return type(fields) is tuple and len(fields) <= MAX_FIELDS and hasattr(kind, "_asdict")
