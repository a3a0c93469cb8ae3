"""What runs in a confined child: a candidate's functions, called from outside, or its whole program.

The process is the candidate's from the first line of its code on. What is sent from here is taken for a value
that the candidate claims, never for a verdict.
"""

from __future__ import annotations

import atexit
import builtins
import os
import sys
import threading
import types
from typing import Any, NoReturn

from localdistill.sandbox.channel import Line
from localdistill.sandbox.codec import CodecError, TooLarge, encode
from localdistill.sandbox.decode import decode

# Kinds of frames. To the child: a module to load, a call, names to describe, a program to run.
MODULE, CALL, NAMES, PROGRAM = b"M", b"C", b"N", b"P"
# From the child: loaded, a value, an Exception, an end that no test may catch.
LOADED, VALUE, RAISED, FATAL = b"O", b"V", b"X", b"F"

_MUTABLE = (list, dict, set, bytearray)
_MESSAGE_CHARACTERS = 300


def serve_module(line: Line, source: str) -> None:
    """Load ``source`` as a module and answer calls of its functions until the pit lets go."""
    code = _compile(line, source)
    module = types.ModuleType("candidate")
    sys.modules["candidate"] = module  # dataclasses and pickle look a class's module up there
    try:
        exec(code, module.__dict__)  # noqa: S102  that is what this confined process is for
    except BaseException as error:
        line.send(FATAL, encode(_fatal(error)))
        return
    line.send(LOADED, b"")
    while True:
        kind, body = line.receive()
        if kind == NAMES:
            line.send(VALUE, encode([_describe(module, name) for name in decode(body)]))
            continue
        name, arguments, keywords = decode(body)
        reply_kind, reply = _call(module, name, arguments, keywords)
        line.send(reply_kind, reply)


def run_program(line: Line, source: str) -> NoReturn:
    """Run ``source`` as a whole program on descriptors 0 and 1, and end as Python would."""
    code = _compile(line, source)
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = main
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # type: ignore[misc] # noqa: PTH123
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)  # type: ignore[misc] # noqa: PTH123
    exit_code = 0
    try:
        exec(code, main.__dict__)  # noqa: S102
    except SystemExit as error:
        exit_code = _exit_code(error.code)
    except BaseException as error:
        exit_code = 1
        line.send(FATAL, encode(_fatal(error)))
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are no daemons
        atexit._run_exitfuncs()
        sys.stdout.flush()
    except BaseException:
        exit_code = exit_code or 120  # as Python does where the last flush fails
    os._exit(exit_code)


def _exit_code(code: object) -> int:
    if code is None:
        return 0
    return code & 0xFF if isinstance(code, int) else 1


def _compile(line: Line, source: str) -> types.CodeType:
    try:
        return compile(source.removeprefix("\ufeff"), "candidate.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        line.send(FATAL, encode(("syntax_error", _text(error))))
        os._exit(1)


def _call(
    module: types.ModuleType, name: str, arguments: list[Any], keywords: dict[str, Any]
) -> tuple[bytes, bytes]:
    try:
        value = _find(module, name)(*arguments, **keywords)
        result = encode(value)
    except TooLarge as error:
        return FATAL, encode(("output_exceeded", f"the result is {error}"))
    except CodecError as error:
        return FATAL, encode(("failed", f"returned {error}, which cannot be compared"))
    except MemoryError as error:
        return FATAL, encode(_fatal(error))
    except Exception as error:
        return RAISED, encode((_nearest(error), _text(error)))
    except BaseException as error:
        return FATAL, encode(_fatal(error))
    return VALUE, b"".join((result, _after(arguments)))


def _after(arguments: list[Any]) -> bytes:
    """The arguments as the call has left them, so that a test can see what was changed in place."""
    if not any(isinstance(each, _MUTABLE) for each in arguments):
        return encode(None)
    try:
        return encode(arguments)
    except CodecError:
        return encode(None)


def _find(module: types.ModuleType, name: str) -> Any:
    first, *rest = name.split(".")
    try:
        found = module.__dict__[first]
    except KeyError:
        raise NameError(f"name '{first}' is not defined") from None
    for part in rest:
        found = getattr(found() if isinstance(found, type) else found, part)
    return found


def _describe(module: types.ModuleType, name: str) -> tuple[str, Any]:
    missing = object()
    found = module.__dict__.get(name, missing)
    if found is missing:
        return "missing", None
    if isinstance(found, type):
        return "class", None
    if isinstance(found, types.ModuleType):
        return "module", found.__name__
    if callable(found):
        return "function", None
    try:
        encode(found)
    except Exception:
        return "opaque", None
    return "value", found


def _nearest(error: Exception) -> str:
    """The name of the nearest built-in class of an exception: the class itself does not cross."""
    for kind in type(error).__mro__:
        if getattr(builtins, kind.__name__, None) is kind:
            return kind.__name__
    return "Exception"


def _fatal(error: BaseException) -> tuple[str, str]:
    if isinstance(error, MemoryError):
        return "memory_exceeded", "MemoryError"
    return "runtime_error", _text(error)


def _text(error: BaseException) -> str:
    try:
        message = str(error)[:_MESSAGE_CHARACTERS]
    except BaseException:
        message = ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
