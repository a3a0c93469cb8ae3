"""Programs in files, each with a header that says what is to become of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localdistill.sandbox import Job
from localdistill.types import (
    AssertTests,
    CallCase,
    CallTests,
    CheckTests,
    Problem,
    StdinCase,
    StdinTests,
    Tests,
)

_HERE = Path(__file__).parent
_CHECK = """
SECRET = "SECRET-OF-THE-TESTS"

def check(candidate):
    assert candidate(3) == 4
    assert candidate(7) == 8, SECRET
"""
# Named by the header ``tests``: the body of a check, or assert statements.
_CHECKS = {
    "map": "assert all(got == want for got, want in zip(map(candidate, [3, 7]), [4, 8]))",
    "swallow": "try:\n        candidate(3)\n    except BaseException:\n        pass\n"
    "    else:\n        raise AssertionError",
    "helper": "assert same(candidate(3), helper(3))",
    "tolerance": "assert abs(candidate(3) - 0.5) < 1e-6",
    "zero": "assert candidate(3)['answer'] == 4",
    "sorted": "numbers = [3, 1, 2]\n    assert candidate(numbers) == sorted(numbers)",
    "again": "numbers = [3, 1]\n    assert candidate(numbers) == [1, 3]\n"
    "    assert candidate(numbers) == [1, 3]",
    "integer": "assert int(candidate(3)) == 4",
    "text": "assert str(candidate(3)) == '4'",
    "chained": "value = 3\n    for _ in range(200):\n        value = candidate(value)\n"
    "    assert value == 4",
}
_ASSERTS = {
    "mutate": "(numbers := [3, 1]) and solve(numbers) is None and numbers == [1, 3, [0]], numbers",
    "isclose": "isclose(solve(3), 4)",
    "math": "math.isclose(solve(3), 4)",
    "expected": "solve(3) == EXPECTED",
}
_HELPERS = "def same(got, want):\n    return got == want\ndef helper(x):\n    return x + 1"
_CALLS: dict[str, list[tuple[object, object]]] = {
    "call": [(3, 4), (7, 8)],
    "method": [(3, 4), (7, 8)],
    "list": [(3, [0, 1, 2])],
    "float": [(1, [float("nan"), 0.0, 0.3333333])],
    "long": [(3, 10**5000 + 3)],
    "none": [(3, None), (7, None)],
    "mapping": [(3, {"answer": 5})],
}
_NUMBERS = "\n".join(str(number) for number in range(100_000))


@dataclass(frozen=True)
class Program:
    """One file of a folder of programs."""

    name: str
    job: Job
    statuses: tuple[str, ...]
    needs: frozenset[str]  # installed packages, which not every tier has


def programs(folder: str) -> list[Program]:
    """All programs of ``hostile`` or ``unusual``."""
    return [_read(path) for path in sorted((_HERE / folder).glob("*.py"))]


def _read(path: Path) -> Program:
    code = path.read_text(encoding="utf-8")
    header: dict[str, str] = {}
    for line in code.splitlines():
        if not line.startswith("#"):
            break
        key, _, value = line.lstrip("# ").partition(":")
        key, value = key.strip(), value.removeprefix(" ").rstrip()
        # ``setup`` and ``assert`` may stand on several lines.
        header[key] = f"{header[key]}\n{value}" if key in header else value
    if "crlf" in header:
        code = code.replace("\n", "\r\n")
    if "bom" in header:
        code = "\ufeff" + code
    if "future" in header:
        code = code.partition("\n")[2]
    problem = Problem(
        id=path.stem,
        prompt="",
        tests=_tests(header),
        entry_point="Solution.solve" if header.get("kind") == "method" else "solve",
        time_limit_s=float(header.get("limit", 5)),
        memory_limit_mb=256,
    )
    statuses = header.get("status", "passed").split(",")
    return Program(
        path.stem,
        Job((path.stem, 0), code, problem),
        tuple(s.strip() for s in statuses),
        frozenset(header.get("needs", "").split()),
    )


def _tests(header: dict[str, str]) -> Tests:
    kind = header.get("kind", "check")
    if "assert" in header:
        statements = [f"assert {each}" for each in header["assert"].split("\n")]
        return AssertTests(setup=header.get("setup", ""), asserts=statements)
    if kind == "stdin":
        given = {"lines": f"100000\n{_NUMBERS}"}.get(
            header.get("input", ""), header.get("input", "3")
        )
        wanted = {"numbers": _NUMBERS, "long": "1" + "0" * 4999 + "3"}.get(
            header.get("output", ""), header.get("output", "4")
        )
        if header.get("input") == "lines":
            wanted = str(sum(range(100_000)))
        return StdinTests(cases=[StdinCase(input=given, output=wanted)])
    if kind in _CALLS:
        return CallTests(cases=[CallCase(args=[a], expected=e) for a, e in _CALLS[kind]])
    return _code_tests("mutate" if kind == "mutate" else header.get("tests", ""))


def _code_tests(name: str) -> Tests:
    if name in _ASSERTS:
        return AssertTests(asserts=[f"assert {_ASSERTS[name]}"])
    if name in _CHECKS:
        return CheckTests(setup=_HELPERS, code=f"def check(candidate):\n    {_CHECKS[name]}")
    return CheckTests(code=_CHECK)
