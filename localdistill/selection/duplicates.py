"""Drops programs that a problem has already: training on one text twice weighs it double."""

from __future__ import annotations

from collections.abc import Iterable

from localdistill.selection.candidate import Choice, drop


def drop_duplicates(choices: Iterable[Choice]) -> list[Choice]:
    """Of the kept choices with the same program, keep the first; the order stays."""
    seen: set[str] = set()
    result: list[Choice] = []
    for choice in choices:
        program = normalise(choice.candidate.code or "")
        if choice.kept and program in seen:
            result.append(drop(choice.candidate, "duplicate"))
            continue
        if choice.kept:
            seen.add(program)
        result.append(choice)
    return result


def normalise(code: str) -> str:
    """``code`` without blank lines and blanks at the ends of lines; indentation has a meaning."""
    return "\n".join(line.rstrip() for line in code.splitlines() if line.strip())
