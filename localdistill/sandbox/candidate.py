"""What runs in a confined child: the functions of a candidate, called from outside.

The process is the candidate's from the first line of its code on. What is sent from here is taken
for a value that the candidate claims, never for a verdict.
"""

from __future__ import annotations

import builtins
import os
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

from localdistill.sandbox.channel import Line
from localdistill.sandbox.codec import CodecError, Handle, TooLarge, encode
from localdistill.sandbox.own_file import own_file
from localdistill.sandbox.requests import unpack

# Kinds of frames. To the child: a module to load, one with calls to answer at once, names to
# describe, a program to run.
MODULE, MODULE_AND_CALLS, NAMES, PROGRAM = b"M", b"W", b"N", b"P"
# To the child, from test code: call a function; make an object of a class, get or set an attribute.
CALL, MAKE, GET, SET = b"C", b"K", b"G", b"A"
# A call of whose arguments nobody asks what became of them.
CALL_WITHOUT_AFTER = b"D"
# Several such calls, answered by as many frames: up to the first that is no VALUE.
CALLS = b"B"
# From the child: loaded, a value, an Exception, an end that no test may catch.
LOADED, VALUE, RAISED, FATAL = b"O", b"V", b"X", b"F"

_NOTHING = encode(None)
_MUTABLE = (list, dict, set, bytearray)
_TEXT_CHARACTERS, _MESSAGE_CHARACTERS = 300, 4000


def serve_module(line: Line, source: str, requests: tuple[bytes, ...] = ()) -> None:
    """Load ``source`` as a module and answer calls of its functions until the pit lets go.

    ``requests`` are answered first, up to one whose answer is no value.
    """
    module = types.ModuleType("candidate")
    code = compiled(line, source, own_file(module, "candidate.py", source))
    sys.modules["candidate"] = module  # dataclasses and pickle look a class's module up there
    try:
        exec(code, module.__dict__)  # noqa: S102  that is what this confined process is for
    except BaseException as error:
        line.send(FATAL, encode(fatal(error)))
        return
    line.send(LOADED, b"")
    service = _Service(module)
    service.answer_all(line, requests)
    while True:
        kind, body = line.receive()
        if kind == CALLS:
            service.answer_all(line, unpack(body))
        else:
            line.send(*service.answer(kind, body))


class _Service:
    """Answers what test code asks of a loaded module."""

    def __init__(self, module: types.ModuleType) -> None:
        self._module = module
        self._objects: list[Any] = []  # a handle is a place in this list
        self._answers: dict[bytes, Callable[[Any], bytes]] = {
            NAMES: lambda asked: encode([self._describe(name) for name in asked]),
            CALL: self._call,
            CALL_WITHOUT_AFTER: self._call_alone,
            MAKE: lambda asked: self._handle(self._find(asked[0])(*asked[1], **asked[2])),
            GET: lambda asked: self._handle(getattr(asked[0], asked[1])),
            SET: self._set,
        }

    def answer_all(self, line: Line, requests: Sequence[bytes]) -> None:
        """Send the answers to several calls, up to the first that is no value."""
        for request in requests:
            kind, body = self.answer(CALL_WITHOUT_AFTER, request)
            line.send(kind, body)
            if kind != VALUE:
                break

    def answer(self, kind: bytes, body: bytes) -> tuple[bytes, bytes]:
        """Do what one frame asks; returns the frame to send back."""
        try:
            return VALUE, self._answers[kind](unpack(body, self._objects.__getitem__))
        except TooLarge as error:
            return FATAL, encode(("output_exceeded", f"the result is {error}"))
        except CodecError as error:
            return FATAL, encode(("failed", f"returned {error}, which cannot be compared"))
        except MemoryError as error:
            return FATAL, encode(fatal(error))
        except Exception as error:
            return RAISED, encode((_nearest(error), _text(error), _message(error)))
        except BaseException as error:
            return FATAL, encode(fatal(error))

    def _call_alone(self, asked: Any) -> bytes:
        name, arguments, keywords = asked
        return encode(self._find(name)(*arguments, **keywords), self._keep) + _NOTHING

    def _call(self, asked: Any) -> bytes:
        name, arguments, keywords = asked
        result = encode(self._find(name)(*arguments, **keywords), self._keep)
        return result + _after(arguments)

    def _set(self, asked: Any) -> bytes:
        setattr(*asked)
        return encode(None)

    def _keep(self, value: Any) -> Handle:
        self._objects.append(value)
        return Handle(len(self._objects) - 1)

    def _find(self, name: Any) -> Any:
        if not isinstance(name, str):  # a function that a call has returned
            return name
        first, *rest = name.split(".")
        try:
            found = self._module.__dict__[first]
        except KeyError:
            raise NameError(f"name '{first}' is not defined") from None
        for part in rest:
            found = getattr(found() if isinstance(found, type) else found, part)
        return found

    def _handle(self, value: Any) -> bytes:
        """Encode ``value``; an object of the candidate's own class stays here and a handle goes."""
        if type(value).__module__ != "candidate":
            return encode(value)
        return encode(self._keep(value))

    def _describe(self, name: str) -> tuple[str, Any]:
        missing = object()
        found = self._module.__dict__.get(name, missing)
        if found is missing:
            return "missing", None
        if isinstance(found, type):
            return "class", None
        if callable(found):
            return "function", None
        try:
            encode(found)
        except Exception:
            return "opaque", None
        return "value", found


def _after(arguments: list[Any]) -> bytes:
    """The arguments as the call has left them, so that a test can see what was changed in place."""
    if not any(isinstance(each, _MUTABLE) for each in arguments):
        return encode(None)
    try:
        return encode(arguments)
    except CodecError:
        return encode(None)


def compiled(line: Line, source: str, path: str) -> types.CodeType:
    """Compile a candidate's source, or say why not and end."""
    try:
        return compile(source.removeprefix("\ufeff"), path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        line.send(FATAL, encode(("syntax_error", _text(error))))
        os._exit(1)


def fatal(error: BaseException) -> tuple[str, str]:
    """Status and detail of an exception that ends a candidate."""
    if isinstance(error, MemoryError):
        return "memory_exceeded", "MemoryError"
    return "runtime_error", _text(error)


def _nearest(error: Exception) -> str:
    """The name of the nearest built-in class of an exception: the class itself does not cross."""
    for kind in type(error).__mro__:
        if getattr(builtins, kind.__name__, None) is kind:
            return str(kind.__name__)
    return "Exception"


def _text(error: BaseException) -> str:
    message = _message(error)[:_TEXT_CHARACTERS]
    name = type(error).__name__[:_TEXT_CHARACTERS]
    return f"{name}: {message}" if message else name


def _message(error: BaseException) -> str:
    try:
        return str(error)[:_MESSAGE_CHARACTERS]
    except BaseException:
        return ""
