"""What the guard of plain questions found, as it is kept and as it is told."""

from __future__ import annotations

from localdistill.types import Row


class RegressionCheck(Row):
    """One bound: the figure before and after, and the highest or lowest that is allowed after."""

    name: str  # "surprise", nats a token; or "form", answers in the form that was asked for
    before: float
    after: float
    bound: float
    passed: bool | None  # None: the old model answers too little for a loss to show


class Worse(Row):
    """A question that the old model answered in the form that was asked for, and the new not."""

    question: str
    answer: str
    flaws: list[str]


class Regression(Row):
    """What the guard found (``regression.json``)."""

    questions: int
    checks: list[RegressionCheck]
    worse: list[Worse]
    passed: bool


def told_in_words(found: Regression) -> str:
    """One sentence on what the guard found."""
    nats, form = found.checks
    change = (
        f"surprise at good answers {nats.before:.2f} to {nats.after:.2f} nats a token, "
        f"answers in the form asked for {form.before:.0f} to {form.after:.0f} of {found.questions}"
    )
    if form.passed is None and found.passed:
        return (
            "Plain questions: whether the new model has lost anything there cannot be told, as the "
            f"old one hardly answers them ({change})."
        )
    if found.passed:
        return f"Plain questions: answered as before ({change})."
    failed = " and ".join(check.name for check in found.checks if check.passed is False)
    return f"Plain questions are answered worse than before ({failed}): {change}."
