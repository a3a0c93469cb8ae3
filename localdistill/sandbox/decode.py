"""The other half of the codec: bytes of an untrusted process back into plain values."""

from __future__ import annotations

import collections
import functools
import struct
from collections.abc import Callable
from typing import Any

from localdistill.sandbox.codec import (
    MAX_DEPTH,
    MAX_FIELDS,
    MAX_INT_BYTES,
    MAX_NAME,
    MAX_VALUES,
    TYPES,
    CodecError,
    Record,
    TooLarge,
)

_size = struct.Struct("<I")
_double = struct.Struct("<d")
_pair = struct.Struct("<dd")
_DATES = ("date", "datetime", "time")


def _no_handles(number: int) -> Any:
    raise CodecError("a value of type function, or a handle where none can be")


def decode(data: bytes, handle: Callable[[int], Any] = _no_handles) -> Any:
    """Decode what ``codec.encode`` wrote; nothing in the result has a behaviour of its own.

    ``handle`` makes something of the handles in it.

    Raises:
        CodecError: the bytes are not an encoding, or a cap is passed.
    """
    return _values(data, 1, handle)[0]


def decode_pair(data: bytes, handle: Callable[[int], Any] = _no_handles) -> tuple[Any, Any]:
    """Decode two encodings in a row: a result, and the arguments as the call has left them."""
    first, second = _values(data, 2, handle)
    return first, second


def decode_texts(data: bytes) -> list[str]:
    """Decode a tuple of texts, and nothing else, in time that its length bounds.

    For the pit, which has no limits of its own: other values can be short to say and take hours, or
    all memory, to make or to look at.

    Raises:
        CodecError: it is anything else.
    """
    return [each.decode("utf-8", "replace") for each in _blobs(data, b"s")]


def decode_blobs(data: bytes) -> list[bytes]:
    """Decode a tuple of bytes, and nothing else. For the pit, as ``decode_texts``.

    Raises:
        CodecError: it is anything else.
    """
    return _blobs(data, b"b")


def _blobs(data: bytes, kind: bytes) -> list[bytes]:
    decoder = _Decoder(data, _no_handles)
    tag, count = decoder.raw(1), _size.unpack(decoder.raw(4))[0]
    if tag != b"t":
        raise CodecError("no tuple")
    found = []
    while decoder.at < len(data):
        tag, size = decoder.raw(1), _size.unpack(decoder.raw(4))[0]
        if tag != kind:
            raise CodecError("an element of another kind")
        found.append(decoder.raw(size))
    if len(found) != count:
        raise CodecError("another number of elements")
    return found


def _values(data: bytes, count: int, handle: Callable[[int], Any]) -> list[Any]:
    decoder = _Decoder(data, handle)
    try:
        values = [decoder.take(0) for _ in range(count)]
    except CodecError:
        raise
    except Exception as error:  # unhashable keys, dates out of range, cut bytes: all the same to us
        raise CodecError(f"not a value: {type(error).__name__}") from None
    if decoder.at != len(data):
        raise CodecError("bytes after the value")
    return values


class _Decoder:
    def __init__(self, data: bytes, handle: Callable[[int], Any]) -> None:
        self.data = data
        self.handle = handle
        self.at = 0
        self.values = 0

    def take(self, depth: int) -> Any:
        self.values += 1
        if depth > MAX_DEPTH or self.values > MAX_VALUES:
            raise TooLarge("too deep or too many values")
        tag = self.data[self.at : self.at + 1]
        self.at += 1
        if tag in _FIXED:
            length, make = _FIXED[tag]
            return make(self.raw(length))
        size = _size.unpack(self.raw(4))[0]
        if tag == b"h":
            return self.handle(_integer(self.raw(size)))
        if tag in _BLOBS:
            return _BLOBS[tag](self.raw(size))
        build = _SEQUENCES.get(tag)
        if build is None:
            raise CodecError("an unknown kind of value")
        return build(self.items(size, depth + 1))

    def raw(self, size: int) -> bytes:
        piece = self.data[self.at : self.at + size]
        if len(piece) != size:
            raise CodecError("the bytes end early")
        self.at += size
        return piece

    def items(self, count: int, depth: int) -> list[Any]:
        if count > len(self.data) - self.at:  # each value takes a byte at least
            raise CodecError("the bytes end early")
        return [self.take(depth) for _ in range(count)]


def _integer(data: bytes) -> int:
    if len(data) > MAX_INT_BYTES:
        raise TooLarge("an integer of too many digits")
    return int.from_bytes(data, "little", signed=True)


def _date(data: bytes) -> Any:
    name, text = data.decode("ascii").split(" ", 1)
    return getattr(_rare("datetime"), _DATES[_DATES.index(name)]).fromisoformat(text)


def _rare(module: str) -> Any:
    """A module that is loaded where it is needed: see ``codec.load_rare``."""
    return __import__(module)


# Elements are put in one by one, not by one call in C: an alarm can then end what adversarial
# hashes have made slow.
def _set(items: list[Any]) -> set[Any]:
    result = set()
    for each in items:
        result.add(each)
    return result


def _mapping(items: list[Any]) -> dict[Any, Any]:
    result = {}
    for place in range(0, len(items), 2):
        result[items[place]] = items[place + 1]
    return result


def _counter(items: list[Any]) -> collections.Counter[Any]:
    counter: collections.Counter[Any] = collections.Counter()
    dict.update(counter, _mapping(items))
    return counter


def _fraction(items: list[Any]) -> Any:
    numerator, denominator = items
    if type(numerator) is not int or type(denominator) is not int:
        raise CodecError("no fraction")  # it would take "1e1000000000" as well
    return _rare("fractions").Fraction(numerator, denominator)


def _pairs(items: list[Any]) -> dict[Any, Any]:
    if not all(type(item) is tuple and len(item) == 2 for item in items):
        raise CodecError("no pairs")  # a range is short to say, and has any number of elements
    return _mapping([part for item in items for part in item])


# What built-in types have to say of themselves: taken from a candidate's object, or out of a named
# tuple of its own, it would be a verdict and no value.
_SAID_OF_VALUES = frozenset(
    name
    for kind in (str, bytes, tuple, frozenset, float, int)
    for name in dir(kind)
    if name.startswith("is") or name in ("startswith", "endswith", "count", "index")
)


def _record(items: list[Any]) -> Record:
    record = Record()
    for name, value in _mapping(items).items():
        if type(name) is not str or name.startswith("_"):  # nothing that Python itself calls
            raise CodecError("no attribute")
        if not (callable(value) and name in _SAID_OF_VALUES):
            setattr(record, name, value)
    return record


@functools.lru_cache(maxsize=256)
def _named(name: str, fields: tuple[str, ...]) -> Any:
    # It refuses what is no identifier, or starts with an underscore.
    return collections.namedtuple(name, fields)


def _named_tuple(items: list[Any]) -> Any:
    name, fields, *values = items
    if not (type(name) is str and type(fields) is tuple and len(fields) <= MAX_FIELDS):
        raise CodecError("no named tuple")
    if not all(type(field) is str and len(field) <= MAX_NAME for field in (name, *fields)):
        raise CodecError("no named tuple")
    for field, value in zip(fields, values, strict=False):
        if callable(value) and field in _SAID_OF_VALUES:
            raise CodecError("a named tuple that answers for itself")
    return _named(name, fields)(*values)


def _coroutine(items: list[Any]) -> Any:
    async def ready() -> Any:
        return value

    (value,) = items
    return ready()


def _array(items: list[Any]) -> Any:
    typecode, data = items
    if type(data) is not bytes:
        raise CodecError("no array")  # a number would be its length
    result = _rare("array").array(typecode)
    result.frombytes(data)
    return result


_FIXED: dict[bytes, tuple[int, Callable[[bytes], Any]]] = {
    b"N": (0, lambda data: None),
    b"T": (1, lambda data: data == b"\1"),
    b"d": (8, lambda data: _double.unpack(data)[0]),
    b"c": (16, lambda data: complex(*_pair.unpack(data))),
}
_BLOBS: dict[bytes, Callable[[bytes], Any]] = {
    b"i": _integer,
    b"s": lambda data: data.decode("utf-8", "surrogatepass"),
    b"b": bytes,
    b"a": bytearray,
    b"D": lambda data: _rare("decimal").Decimal(data.decode("ascii")),
    b"e": _date,
    b"y": lambda data: TYPES[data.decode("ascii")],
}
_SEQUENCES: dict[bytes, Callable[[list[Any]], Any]] = {
    b"l": lambda items: items,
    b"t": tuple,
    b"S": _set,
    b"z": lambda items: frozenset(_set(items)),
    b"C": _counter,
    b"O": lambda items: collections.OrderedDict(_mapping(items)),
    b"m": _mapping,
    b"q": collections.deque,
    b"r": lambda items: range(*items),
    b"Q": _fraction,
    b"w": lambda items: _rare("datetime").timedelta(*items),
    b"g": iter,
    b"n": _named_tuple,
    b"A": _array,
    b"R": _record,
    b"W": _coroutine,
    b"k": lambda items: _mapping([part for item in items for part in (item, None)]).keys(),
    b"v": lambda items: dict(enumerate(items)).values(),
    b"x": lambda items: _pairs(items).items(),
}
