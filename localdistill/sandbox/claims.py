"""What a confined child says about its own failure, as the pit reads it.

Believed, because it can only be a failure. Short, so that adversarial bytes cannot keep the pit
busy.
"""

from __future__ import annotations

from localdistill.sandbox.candidate import FATAL
from localdistill.sandbox.codec import CodecError
from localdistill.sandbox.decode import decode_texts
from localdistill.sandbox.session import Over

_MAX_BYTES = 1 << 16
_DETAIL_CHARACTERS = 300
_CLAIMS = ("runtime_error", "syntax_error", "memory_exceeded", "output_exceeded", "failed")


def claimed_end(kind: bytes, body: bytes) -> Over:
    """The end that a FATAL frame tells of; any other frame is itself the failure."""
    if kind == FATAL:
        pair = _pair(body)
        if pair is not None and pair[0] in _CLAIMS:
            return Over(*pair)
    return Over("runtime_error", "an answer out of turn")


def raised_text(body: bytes) -> str:
    """What a RAISED frame says was raised."""
    pair = _pair(body)
    return pair[1] if pair is not None else "an exception"


def _pair(body: bytes) -> tuple[str, str] | None:
    if len(body) > _MAX_BYTES:
        return None
    try:
        first, second, *_ = decode_texts(body)
    except (CodecError, ValueError):
        return None
    return first, second[:_DETAIL_CHARACTERS]
