"""What a strategy is given and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

from localdistill.types import Completion, Status


@dataclass(frozen=True)
class Candidate:
    """A completion, the program in it, and its verdict's status (None: not tested).

    ``behaviour``: what it did, where a strategy has had it run (``observed``) to its end; see
    ``programs.Observed``. ``unseen``: the sandbox failed with it. ``broken``: its text is not what
    the model said; see ``problems.broken``.
    """

    completion: Completion
    code: str | None
    status: Status | None = None
    behaviour: tuple[str, ...] | None = None
    observed: bool = False
    unseen: bool = False
    broken: bool = False

    @property
    def complete(self) -> bool:
        """Whether the model ended it by itself, rather than its length."""
        return self.completion.finish_reason == "stop"

    @property
    def judged(self) -> bool:
        """Whether there is a verdict on it that counts: not ``infra_error``, our own fault."""
        return self.status not in (None, "infra_error")


@dataclass(frozen=True)
class SelectOptions:
    """Settings of the strategies; each reads those that concern it.

    max_per_problem: at most so many are kept of one problem, or those it finds easy would outweigh.
    confidence_share: share of a problem's completions that ``confidence`` keeps, 0 to 1; of those
        that pass for ``hybrid``.
    agreement_share: share of a problem's completions that must do the same for ``agreement``.
    min_length: answers of fewer characters are dropped before a strategy sees them.
    """

    max_per_problem: int = 4
    confidence_share: float = 0.25
    agreement_share: float = 0.5
    min_length: int = 0


@dataclass(frozen=True)
class Choice:
    """A candidate that is kept (``dropped`` is None) or dropped, with the reason."""

    candidate: Candidate
    dropped: str | None = None

    @property
    def kept(self) -> bool:
        """Whether it is trained on."""
        return self.dropped is None


def keep(candidate: Candidate) -> Choice:
    """Keep ``candidate``."""
    return Choice(candidate)


def drop(candidate: Candidate, reason: str) -> Choice:
    """Drop ``candidate``; ``reason`` is counted and shown: one wording for all of a kind."""
    return Choice(candidate, reason)
