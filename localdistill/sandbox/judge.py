"""What runs test code: a confined child of its own, in which no candidate code ever runs.

The tests are run as they are. The candidate's functions are replaced by stubs that send their
arguments out and get plain values back. Test code comes out of data sets, so it is locked down too.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import reprlib
import sys
from collections.abc import Callable
from typing import Any

from localdistill.sandbox.candidate import CALL, GET, MAKE, RAISED, SET
from localdistill.sandbox.channel import Line
from localdistill.sandbox.codec import CodecError, Handle, TooLarge, encode
from localdistill.sandbox.decode import decode, decode_pair
from localdistill.sandbox.expected_first import checks_something, expected_first

JUDGE, RESULT = b"J", b"R"

_DETAIL_CHARACTERS, _WHERE_CHARACTERS = 400, 200
_SHOWN = 60  # characters of a value in a detail
_LONGEST_SHOWN_INT = 4300  # digits
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = _SHOWN
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxset = _SHORT.maxdict = 12


class _NotGradable(BaseException):
    """The tests need what cannot cross to the candidate's process."""


def serve_tests(line: Line, order: dict[str, Any]) -> None:
    """Run the tests in ``order`` and send back what came of them: (status, detail)."""
    line.send(RESULT, encode(_Tests(line).run(order)))


class _Tests:
    def __init__(self, line: Line) -> None:
        self._line = line
        self._raised: BaseException | None = None  # the last exception that crossed
        self._last: tuple[str, tuple[Any, ...], Any] | None = None  # the last call and its value

    def run(self, order: dict[str, Any]) -> tuple[str, str]:
        space: dict[str, Any] = {"__name__": "tests"}
        step = "setup"
        try:
            setup = ast.parse(order["setup"])
            step = "tests"
            tests = self._tests(order, space)
            if not checks_something(setup, *tests.values()):
                return "failed", "the tests check nothing"
            step = "setup"
            exec(_compiled(setup, "setup"), space)  # noqa: S102
            for name, tree in tests.items():
                step = name
                exec(_compiled(tree, "tests"), space)  # noqa: S102
            if order["kind"] == "check":
                step = "check"
                # Some tests use the function by its own name as well (HumanEval/33).
                stub = space[order["entry_point"]] = self._stub(order["entry_point"])
                space["check"](stub)
        except _NotGradable as error:
            return "infra_error", f"{step}: {error}"[:_DETAIL_CHARACTERS]
        except BaseException as error:
            return self._outcome(order, step, error)
        return "passed", ""

    def _tests(self, order: dict[str, Any], space: dict[str, Any]) -> dict[str, ast.Module]:
        """The test code, step by step; names that stand for the candidate's are put in place."""
        if order["kind"] == "check":
            return {"tests": expected_first(order["code"], {order["entry_point"]})}
        functions = {name for name, (kind, _) in order["names"].items() if kind == "function"}
        for name, (kind, value) in order["names"].items():
            space[name] = self._stand_in(name, kind, value)
        return {
            f"assert {number}: {' '.join(statement.split())}": expected_first(statement, functions)
            for number, statement in enumerate(order["asserts"], start=1)
        }

    def _outcome(self, order: dict[str, Any], step: str, error: BaseException) -> tuple[str, str]:
        """What an error in the tests means, where it came about, and what the candidate said."""
        message = " ".join(str(error).split())[:_DETAIL_CHARACTERS]
        name = type(error).__name__
        text = f"{name}: {message}" if message else name
        where = step if order["kind"] == "asserts" else f"{step}{_line_of(error, order['code'])}"
        if error is self._raised:
            return "runtime_error", f"{text} ({where})"[:_DETAIL_CHARACTERS]
        if isinstance(error, AssertionError):
            text = message
        parts = [where[:_WHERE_CHARACTERS], text[:_SHOWN], self._last_call()]
        return "failed", "; ".join(filter(None, parts))[:_DETAIL_CHARACTERS]

    def _last_call(self) -> str:
        if self._last is None:
            return ""
        name, arguments, value = self._last
        return f"{name}({', '.join(map(_shown, arguments))}) returned {_shown(value)}"

    def _stand_in(self, name: str, kind: str, value: Any) -> Any:
        if kind == "value":
            return value
        if kind == "module":
            # Under its own name only: a candidate may not choose what the tests' ``math`` is.
            if name not in sys.stdlib_module_names:
                raise _NotGradable(f"the tests use the module {name}")
            return importlib.import_module(name)
        if kind == "class":
            return lambda *given, **named: self._ask(MAKE, (name, list(given), named))
        return self._stub(name)

    def _stub(self, name: str) -> Callable[..., Any]:
        def stub(*arguments: Any, **keywords: Any) -> Any:
            value, after = decode_pair(self._answer(CALL, (name, list(arguments), keywords)))
            self._last = name, arguments, value
            if isinstance(after, list) and len(after) == len(arguments):
                for old, new in zip(arguments, after, strict=True):
                    _write_back(old, new)
            return value

        stub.__name__ = stub.__qualname__ = name
        return stub

    def _ask(self, kind: bytes, request: tuple[Any, ...]) -> Any:
        return decode(self._answer(kind, request), lambda number: _Remote(number, self._ask))

    def _answer(self, kind: bytes, request: tuple[Any, ...]) -> bytes:
        try:
            encoded = encode(request)
        except TooLarge as error:  # made of what the candidate returned
            raise ValueError(f"the tests pass a value {error}") from None
        except CodecError as error:
            raise _NotGradable(f"the tests pass {error}") from None
        self._line.send(kind, encoded)
        answer_kind, body = self._line.receive()
        if answer_kind == RAISED:
            class_name, _, message = decode(body)
            self._raised = _exception(class_name, message)
            raise self._raised
        return body


class _Remote(Handle):
    """An object of a class that the candidate defines: its attributes are read and set over there.

    Nothing else of it is the candidate's: it compares, hashes and is true as any object here.
    """

    def __init__(self, number: int, ask: Callable[[bytes, tuple[Any, ...]], Any]) -> None:
        super().__init__(number)
        object.__setattr__(self, "_ask", ask)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return object.__getattribute__(self, "_ask")(GET, (self, name))

    def __setattr__(self, name: str, value: Any) -> None:
        object.__getattribute__(self, "_ask")(SET, (self, name, value))


def _compiled(tree: ast.Module, name: str) -> Any:
    return compile(tree, f"{name}.py", "exec", dont_inherit=True)


def _line_of(error: BaseException, code: str) -> str:
    """The line of the test code at which ``error`` came up."""
    number, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "tests.py":
            number = trace.tb_lineno
        trace = trace.tb_next
    lines = code.splitlines()
    if not 0 < number <= len(lines):
        return ""
    return f", line {number}: {' '.join(lines[number - 1].split())}"


def _shown(value: Any) -> str:
    """A short text for a value, in no time."""
    lifted = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(_LONGEST_SHOWN_INT)
    try:
        text = _SHORT.repr(value)
    except Exception:  # an integer too long to be written, or a value of the tests' own
        text = f"a value of type {type(value).__name__}"
    finally:
        sys.set_int_max_str_digits(lifted)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _exception(class_name: str, message: str) -> Exception:
    kind = getattr(builtins, class_name, None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        kind = Exception
    if issubclass(kind, StopIteration | StopAsyncIteration):
        kind = RuntimeError  # or it would quietly end a map() or zip() of the test
    try:
        # A KeyError shows its argument as source text, and that is what has crossed.
        return kind(_Text(message)) if issubclass(kind, KeyError) else kind(message)
    except TypeError:  # UnicodeDecodeError and its like want five arguments
        return ValueError(message) if issubclass(kind, ValueError) else Exception(message)


class _Text(str):
    def __repr__(self) -> str:
        return str(self)


def _write_back(old: Any, new: Any) -> Any:
    """Make ``old`` equal to ``new`` in place where that can be; returns what is to stand there."""
    if type(old) is not type(new):
        return new
    if isinstance(old, list):
        paired = [_write_back(was, now) for was, now in zip(old, new, strict=False)]
        old[:] = paired + new[len(paired) :]
    elif isinstance(old, dict):
        merged = {
            key: _write_back(old[key], now) if key in old else now for key, now in new.items()
        }
        old.clear()
        old.update(merged)
    elif isinstance(old, set):
        old.clear()
        old.update(new)
    elif isinstance(old, bytearray):
        old[:] = new
    else:
        return new
    return old
