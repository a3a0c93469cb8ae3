"""What runs test code: a confined child in which no candidate code ever runs.

Plain test code shares it with other such code; all other has it for itself. The tests are run as
they are, but for the order of ``expected_first``. The candidate's functions are replaced by stubs
that send their arguments out and get plain values back. Test code comes out of data sets, so it is
locked down too.
"""

from __future__ import annotations

import ast
import builtins
import collections
import dataclasses
import importlib
import marshal
import reprlib
import sys
import types
from collections.abc import Callable
from typing import Any

from localdistill.sandbox.ahead import body_of_check, calls_ahead
from localdistill.sandbox.candidate import CALL, CALLS, FATAL, GET, MAKE, RAISED, SET
from localdistill.sandbox.channel import Line
from localdistill.sandbox.codec import CodecError, Handle, OfACandidate, TooLarge, encode
from localdistill.sandbox.decode import decode, decode_pair
from localdistill.sandbox.expected_first import checks_something, expected_first, leading_to
from localdistill.sandbox.plain import is_plain, is_plain_module
from localdistill.sandbox.requests import pack, unpack

JUDGE, RESULT = b"J", b"R"
NOT_PLAIN = "not plain"  # in the place of a status: the tests must have a process of their own

_DETAIL_CHARACTERS, _WHERE_CHARACTERS = 400, 200
_SHOWN = 60  # characters of a value in a detail
_LONGEST_SHOWN_INT = 4300  # digits
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = _SHOWN
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxset = _SHORT.maxdict = 12


class _NotGradable(BaseException):
    """The tests need what cannot cross to the candidate's process."""


class _Abandoned(BaseException):
    """The candidate has come to its end; nobody waits for the outcome."""


@dataclasses.dataclass(frozen=True)
class _Prepared:
    """Test code, compiled: a step's name and its code, setup first."""

    steps: tuple[tuple[str, types.CodeType], ...]
    checks_something: bool
    plain: bool
    ahead: tuple[bytes, ...]  # requests that the tests begin with, in their order

    def to_bytes(self) -> bytes:
        """For the pit to keep, which does not look into it, and to send with the next order."""
        return marshal.dumps((self.steps, self.checks_something, self.plain, self.ahead))

    @classmethod
    def from_bytes(cls, data: bytes) -> _Prepared:
        """What ``to_bytes`` has written, in a process that ran the same tests or none."""
        return cls(*marshal.loads(data))  # noqa: S302  such tests may do more than forge this


def serve_tests(line: Line, order: dict[str, Any]) -> None:
    """Run the tests in ``order`` and send back what came of them.

    That is status, detail, and the tests prepared, where the order did not bring them so.
    """
    tests = _Tests(line, order)
    status, detail = tests.run()
    texts = (each.encode("utf-8", "replace") for each in (status, detail))
    line.send(RESULT, encode((*texts, tests.prepared)))


class _Tests:
    def __init__(self, line: Line, order: dict[str, Any]) -> None:
        self._line = line
        self._order = order
        self._raised: BaseException | None = None  # the last exception that crossed
        self._last: tuple[str, tuple[Any, ...], Any] | None = None  # the last call and its value
        self._not_gradable = ""
        self._called = False
        self.prepared = b""
        self._returned: dict[Any, Handle | None] = {}  # stubs of functions that calls returned
        # Answers that came before the tests asked: the request, the kind of answer, the answer.
        self._ahead: collections.deque[tuple[bytes, bytes, bytes]] = collections.deque(
            order["answers"]
        )

    def run(self) -> tuple[str, str]:
        order = self._order
        space: dict[str, Any] = {"__name__": "tests"}
        step = "tests"
        try:
            prepared = self._prepared()
            if order["plain"] and not (prepared.plain and self._has_plain_names()):
                return NOT_PLAIN, ""
            if not prepared.checks_something:
                return "failed", "the tests check nothing"
            for name, (kind, value) in order["names"].items():
                space[name] = self._stand_in(name, kind, value)
            if not self._ahead:
                self._fetch(prepared.ahead)
            for step, code in prepared.steps:  # noqa: B007  read below
                exec(code, space)  # noqa: S102
            if order["kind"] == "check":
                step = "check"
                # Some tests use the function by its own name as well (HumanEval/33).
                stub = space[order["entry_point"]] = self._stub(order["entry_point"])
                space["check"](stub)
        except BaseException as error:
            if not self._not_gradable:  # else it may be the test's answer to that
                return self._outcome(step, error)
        return self._no_error(step)

    def _no_error(self, step: str) -> tuple[str, str]:
        """What it means that the tests came to their end."""
        if self._not_gradable:
            return "infra_error", f"{step}: {self._not_gradable}"[:_DETAIL_CHARACTERS]
        if not self._called:  # an answer that came ahead is none until the tests come to it
            return "failed", "the tests never call the candidate"
        return "passed", ""

    def _prepared(self) -> _Prepared:
        order = self._order
        if order["prepared"]:
            return _Prepared.from_bytes(order["prepared"])
        prepared = _prepare(
            order["kind"],
            order["setup"],
            (order["code"],) if order["kind"] == "check" else tuple(order["asserts"]),
            order["entry_point"],
            frozenset(name for name, (kind, _) in order["names"].items() if kind == "function"),
        )
        self.prepared = prepared.to_bytes()
        return prepared

    def _fetch(self, requests: tuple[bytes, ...]) -> None:
        """Ask for the answers to ``requests`` in one go."""
        if len(requests) < 2:
            return
        self._line.send(CALLS, encode(requests))
        _, body = self._line.receive()
        self._ahead.extend(unpack(body))

    def _has_plain_names(self) -> bool:
        return all(
            kind == "function" or (kind == "module" and is_plain_module(name))
            for name, (kind, _) in self._order["names"].items()
        )

    def _outcome(self, step: str, error: BaseException) -> tuple[str, str]:
        """What an error in the tests means, where it came about, and what the candidate said."""
        message = " ".join(str(error).split())[:_DETAIL_CHARACTERS]
        name = type(error).__name__
        text = f"{name}: {message}" if message else name
        if self._order["kind"] == "check":
            step += _line_of(error, self._order["code"])
        if error is self._raised:
            return "runtime_error", f"{text} ({step})"[:_DETAIL_CHARACTERS]
        if isinstance(error, AssertionError):
            text = message
        parts = [step[:_WHERE_CHARACTERS], text[:_SHOWN], self._last_call()]
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
                self._not_gradable = f"the tests use the module {name}"
                raise _NotGradable
            return importlib.import_module(name)
        if kind == "class":
            return lambda *given, **named: self._ask(MAKE, (name, list(given), named))
        return self._stub(name)

    def _stub(self, name: str, of: Handle | None = None) -> Callable[..., Any]:
        """What calls the candidate's function ``name``, or the one that it has returned."""

        def stub(*arguments: Any, **keywords: Any) -> Any:
            answer = self._answer(CALL, (of or name, list(arguments), keywords))
            value, after = decode_pair(answer, lambda n: self._stub(f"{name}(...)", Handle(n)))
            self._last = name, arguments, value
            if isinstance(after, list) and len(after) == len(arguments):
                for old, new in zip(arguments, after, strict=True):
                    _write_back(old, new)
            return value

        stub.__name__ = stub.__qualname__ = name
        self._returned[stub] = of
        return stub

    def _handle_of(self, function: Any) -> Handle:
        handle = self._returned.get(function)
        if handle is None:
            raise CodecError(f"a value of type {type(function).__name__}")
        return handle

    def _ask(self, kind: bytes, request: tuple[Any, ...]) -> Any:
        return decode(self._answer(kind, request), lambda number: _Remote(number, self._ask))

    def _answer(self, kind: bytes, request: tuple[Any, ...]) -> bytes:
        try:
            encoded = pack(request, self._handle_of)
        except CodecError as error:
            raise self._cannot_pass(error) from None
        self._called |= kind == CALL
        if kind == CALL and self._ahead and self._ahead[0][0] == encoded:
            _, answer_kind, body = self._ahead.popleft()
        else:
            self._ahead.clear()
            self._line.send(kind, encoded)
            answer_kind, body = self._line.receive()
        if answer_kind == FATAL:
            raise _Abandoned
        if answer_kind == RAISED:
            class_name, _, message = decode(body)
            self._raised = _exception(class_name, message)
            raise self._raised
        return body

    def _cannot_pass(self, error: CodecError) -> BaseException:
        """What the tests get for an argument that does not cross: it depends on who made it."""
        if isinstance(error, TooLarge):  # of what the candidate returned
            return ValueError(f"the tests pass a value {error}")
        if isinstance(error, OfACandidate) and not self._needs_its_names():
            return ValueError(f"the tests pass {error}")
        self._not_gradable = f"the tests pass {error}"
        return _NotGradable()

    def _needs_its_names(self) -> bool:
        """Whether the tests need more of the candidate than the function that they test."""
        return len([1 for kind, _ in self._order["names"].values() if kind != "module"]) > 1


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


def _prepare(
    kind: str, setup: str, code: tuple[str, ...], entry_point: str, functions: frozenset[str]
) -> _Prepared:
    trees = [("setup", expected_first(setup, set(functions)))]
    known = functions | leading_to(ast.parse(setup), set(functions))
    if kind == "check":
        trees.append(("tests", expected_first(code[0], {entry_point})))
    else:
        trees += [
            (f"assert {number}: {' '.join(each.split())}", expected_first(each, set(known)))
            for number, each in enumerate(code, start=1)
        ]
    return _Prepared(
        ahead=_ahead(kind, setup, code, entry_point, functions),
        steps=tuple(
            (name, compile(tree, f"{name.split()[0]}.py", "exec", dont_inherit=True))
            for name, tree in trees
        ),
        checks_something=any(checks_something(tree) for _, tree in trees),
        plain=is_plain([tree for _, tree in trees]),
    )


def _ahead(
    kind: str, setup: str, code: tuple[str, ...], entry_point: str, functions: frozenset[str]
) -> tuple[bytes, ...]:
    """The requests with which the tests are certain to begin."""
    tree = ast.parse("\n".join((setup, *code)))
    if kind == "check":  # nothing reaches the candidate before ``check`` is called
        before: list[ast.stmt] = []
        statements, called = body_of_check(ast.parse(code[0]))
        leading = {entry_point}
    else:
        before, called = ast.parse(setup).body, functions
        statements, leading = [s for each in code for s in ast.parse(each).body], set()
    leading |= leading_to(tree, leading | called)
    return tuple(
        pack((entry_point if kind == "check" else name, arguments, {}))
        for name, arguments in calls_ahead(statements, called, frozenset(leading), before)
    )


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
