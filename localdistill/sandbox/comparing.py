"""Results beside expected ones, compared in a confined process of their own.

What a candidate returns may be made to keep whoever looks at it busy for hours, or fill memory. So
not the pit looks at it but a child of the judge's slot, which the pit ends when it takes too long.
No code of candidates or tests runs in it, so one serves many candidates.
"""

from __future__ import annotations

import struct
import sys
from typing import Any, NoReturn

from localdistill.sandbox.channel import Line
from localdistill.sandbox.codec import encode
from localdistill.sandbox.compare import same_output, same_value
from localdistill.sandbox.confine import Limits
from localdistill.sandbox.decode import decode, decode_pair
from localdistill.sandbox.session import Child, Over, Slot

VALUES, TEXTS, RESULT = b"E", b"T", b"R"
KINDS = (VALUES, TEXTS)

_LIMITS = Limits(memory_bytes=1 << 30, cpu_s=3600)
_COMPARE_S = 10.0
_USES = 500  # of one process, so that nothing adds up in it
_SHOWN = 60  # characters of a value in a detail
_SHOWN_BYTES = 4096  # of an output, before it is made readable
_LONGEST_SHOWN_INT = 4300  # digits: longer ones take minutes to write

_size = struct.Struct("<I")


class Comparer:
    """The pit's end: asks a child of ``slot``, which is started when it is needed."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._child: Child | None = None
        self._uses = 0

    def value(self, expected: Any, answer: bytes) -> str:
        """What is wrong with the answer to a call; empty if it is as expected.

        Raises:
            CodecError: the expected value is none that crosses.
        """
        return self._ask(VALUES, encode(expected), answer)

    def output(self, expected: str, output: bytes) -> str:
        """What is wrong with what a program printed; empty if it is as expected."""
        return self._ask(TEXTS, expected.encode("utf-8", "surrogatepass"), output)

    def close(self) -> None:
        """End the child: the slot is free for another use."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def _ask(self, kind: bytes, expected: bytes, actual: bytes) -> str:
        if self._uses >= _USES:
            self.close()
        if self._child is None:
            self._child, self._uses = Child(self._slot, _LIMITS), 0
        self._uses += 1
        try:
            answer_kind, body = self._child.ask(
                kind, _size.pack(len(expected)) + expected + actual, _COMPARE_S
            )
            if answer_kind != RESULT:
                raise Over("failed", "the comparer answered out of turn")
            return str(decode(body))
        except Over as over:
            self.close()
            return f"not a comparable value: {over.outcome[1]}"


def serve(line: Line, kind: bytes, body: bytes) -> NoReturn:
    """Compare, in a confined child, until the pit lets go."""
    sys.set_int_max_str_digits(_LONGEST_SHOWN_INT)
    while True:
        line.send(RESULT, encode(_wrong(kind, body)))
        kind, body = line.receive()


def _wrong(kind: bytes, body: bytes) -> str:
    (size,) = _size.unpack_from(body)
    expected, actual = body[_size.size : _size.size + size], body[_size.size + size :]
    try:
        if kind == TEXTS:
            return _wrong_text(expected.decode("utf-8", "surrogatepass"), actual)
        want, (got, _) = decode(expected), decode_pair(actual)
        return "" if same_value(want, got) else _difference(want, got)
    except Exception as error:  # not comparable: a signalling NaN, an unhashable key, no encoding
        return f"not a comparable value: {type(error).__name__}: {error}"[:300]


def _wrong_text(expected: str, actual: bytes) -> str:
    if same_output(expected, actual.decode("utf-8", "replace")):
        return ""
    shown = actual[:_SHOWN_BYTES].decode("utf-8", "replace")
    return _difference(expected[:_SHOWN_BYTES], shown)


def _difference(expected: object, actual: object) -> str:
    return f"expected {_shown(expected)}, got {_shown(actual)}"


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:
        return "a value with a very long integer"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
