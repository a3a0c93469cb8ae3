"""What goes *to* a confined process: plain values as bytes, written and read by C code.

Only in this direction. What comes out of a confined process is believed by nobody, and ``marshal``
believes what it reads: there ``codec`` and ``decode`` are used.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable
from typing import Any

from localdistill.sandbox.codec import MAX_BYTES, Handle, TooLarge, encode
from localdistill.sandbox.decode import decode

_MARSHAL = b"!"  # no kind of value of the codec's
_VERSION = 2  # without references: equal values need not be one object over there
# Of all other types marshal takes some for what they are not: an array for bytes.
_ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes})
_CONTAINERS = frozenset({list, tuple, set, frozenset})


def pack(value: Any, keep: Callable[[Any], Handle] | None = None) -> bytes:
    """``value`` as bytes; ``keep`` makes handles of functions in it, as in ``codec.encode``.

    Raises:
        CodecError: it holds something that does not cross, or is over a cap.
    """
    try:
        simple = _is_simple(value)
        data = marshal.dumps(value, _VERSION) if simple else b""
    except (RecursionError, ValueError):  # it is nested too deep, or holds itself
        simple = False
    if not simple:
        return encode(value, keep)
    if len(data) > MAX_BYTES:
        raise TooLarge(f"larger than {MAX_BYTES} bytes")
    return _MARSHAL + data


def unpack(data: bytes, handle: Callable[[int], Any] | None = None) -> Any:
    """What ``pack`` was given; ``handle`` makes something of handles in it."""
    if data[:1] == _MARSHAL:
        return marshal.loads(memoryview(data)[1:])  # noqa: S302  see above
    return decode(data) if handle is None else decode(data, handle)


def _is_simple(value: Any) -> bool:
    kind = type(value)
    if kind in _ATOMS:
        return True
    if kind is dict:
        return _are_simple(list(value)) and _are_simple(list(value.values()))
    return kind in _CONTAINERS and _are_simple(value)


def _are_simple(values: Any) -> bool:
    return _ATOMS.issuperset(map(type, values)) or all(map(_is_simple, values))
