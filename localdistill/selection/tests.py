"""Strategy *tests*: keep the completions that pass their problem's tests (rejection sampling).

Of two with the same program, one that the model ended itself is preferred to one that was cut by
its length, since only the former teaches where to end.
"""

from __future__ import annotations

from collections.abc import Sequence

from localdistill.selection.candidate import Candidate, Choice, SelectOptions, drop, keep

NEEDS_VERDICTS = True


def passes_wanted(options: SelectOptions) -> int:
    """As many as one problem may give."""
    return options.max_per_problem


def select(
    candidates: Sequence[Candidate], options: SelectOptions, drawn: Sequence[Candidate]
) -> list[Choice]:
    """Keep what passed: complete ones first, in the order of samples."""
    ordered = sorted(candidates, key=lambda candidate: not candidate.complete)
    return [_choice(candidate) for candidate in ordered]


def _choice(candidate: Candidate) -> Choice:
    if candidate.status == "passed":
        return keep(candidate)
    if not candidate.judged:
        return drop(candidate, "not judged")
    if candidate.status == "no_code":
        return drop(candidate, "no code")
    return drop(candidate, "failed tests")
