"""Results beside expected ones, compared in a confined process.

What a candidate returns may be made to keep whoever looks at it busy for hours, or fill memory. So
not the pit looks at it but the bench, which the pit ends when it takes too long.
"""

from __future__ import annotations

import struct
import sys
from typing import Any

from localdistill.sandbox.bench import Bench
from localdistill.sandbox.canonical import canonical
from localdistill.sandbox.channel import Line
from localdistill.sandbox.codec import encode
from localdistill.sandbox.compare import same_output, same_value
from localdistill.sandbox.decode import decode, decode_pair
from localdistill.sandbox.session import Over

VALUES, TEXTS, CANONICAL, RESULT = b"E", b"T", b"N", b"R"
KINDS = (VALUES, TEXTS, CANONICAL)

_COMPARE_S = 10.0
_SHOWN = 60  # characters of a value in a detail
_SHOWN_BYTES = 4096  # of an output, before it is made readable
_LONGEST_SHOWN_INT = 4300  # digits: longer ones take minutes to write

_size = struct.Struct("<I")


class Comparer:
    """The pit's end."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def value(self, expected: Any, answer: bytes) -> str:
        """What is wrong with the answer to a call; empty if it is as expected.

        Raises:
            CodecError: the expected value is none that crosses.
        """
        return self._ask(VALUES, encode(expected), answer)

    def output(self, expected: str, output: bytes) -> str:
        """What is wrong with what a program printed; empty if it is as expected."""
        return self._ask(TEXTS, expected.encode("utf-8", "surrogatepass"), output)

    def canonical(self, answer: bytes) -> str:
        """The answer to a call, which nobody asked what became of its arguments, as text.

        Equal values have equal texts.

        Raises:
            Over: it cannot be written down.
        """
        try:
            kind, body = self._bench.child().ask(CANONICAL, answer, _COMPARE_S)
        except Over:
            self._bench.drop()
            raise Over("failed", "not a comparable value") from None
        text = str(decode(body)) if kind == RESULT else ""
        if not text:
            raise Over("failed", "not a comparable value")
        return text

    def _ask(self, kind: bytes, expected: bytes, actual: bytes) -> str:
        request = _size.pack(len(expected)) + expected + actual
        try:
            answer_kind, body = self._bench.child().ask(kind, request, _COMPARE_S)
            if answer_kind != RESULT:
                raise Over("failed", "an answer out of turn")
            return str(decode(body))
        except Over as over:
            self._bench.drop()
            return f"not a comparable value: {over.outcome[1]}"


def serve(line: Line, kind: bytes, body: bytes) -> None:
    """Compare once, in a confined child."""
    if kind == CANONICAL:
        line.send(RESULT, encode(_canonical(body)))
        return
    lifted = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(_LONGEST_SHOWN_INT)
    line.send(RESULT, encode(_wrong(kind, body)))
    sys.set_int_max_str_digits(lifted)


def _canonical(body: bytes) -> str:
    """The value as text, to be digested by the pit; empty where there is none."""
    try:
        value, _ = decode_pair(body)
        return canonical(value)
    except Exception:  # what a candidate has made to be in the way
        return ""


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
