"""What goes *to* a confined process: plain values as bytes, written and read by Python's own C code.

Only in this direction. What comes out of a confined process is believed by nobody, and ``marshal``
believes what it reads: there ``codec`` and ``decode`` are used.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable
from typing import Any

from localdistill.sandbox.codec import MAX_BYTES, TooLarge, encode
from localdistill.sandbox.decode import decode

_MARSHAL = b"!"  # no kind of value of the codec's
_VERSION = 2  # without references: equal values need not be one object over there


def pack(value: Any) -> bytes:
    """``value`` as bytes.

    Raises:
        CodecError: it holds something that does not cross, or is over a cap.
    """
    try:
        data = marshal.dumps(value, _VERSION)
    except ValueError:  # a Decimal, a deque, a handle, a list that holds itself
        return encode(value)
    if len(data) > MAX_BYTES:
        raise TooLarge(f"larger than {MAX_BYTES} bytes")
    return _MARSHAL + data


def unpack(data: bytes, handle: Callable[[int], Any] | None = None) -> Any:
    """What ``pack`` was given; ``handle`` makes something of handles in it."""
    if data[:1] == _MARSHAL:
        return marshal.loads(memoryview(data)[1:])  # noqa: S302  see above
    return decode(data) if handle is None else decode(data, handle)
