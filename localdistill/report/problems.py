"""Problem by problem: what was solved before and after, by difficulty and by kind of failure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from localdistill.bootstrap import USUAL, Confidence, difference_interval
from localdistill.report.wording import STATUS
from localdistill.types import EvalResult, Problem, Status, Verdict

Shares = dict[str, dict[int, bool]]  # problem id -> sample -> whether it passed


@dataclass(frozen=True)
class Pair:
    """One problem: passes of samples, before and after."""

    problem: str
    before: tuple[int, int]  # passed, of how many that count
    after: tuple[int, int]

    @property
    def gain(self) -> float:
        """Difference of the shares."""
        return self.after[0] / self.after[1] - self.before[0] / self.before[1]


@dataclass(frozen=True)
class Group:
    """Problems of one difficulty: mean pass@1 and the paired difference with its interval."""

    name: str
    problems: int
    before: float
    after: float
    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class Failure:
    """One outcome: how often it was, and its share of all samples that were tested."""

    status: Status
    name: str
    before: int
    after: int
    before_share: float
    after_share: float


def pairs(evaluation: EvalResult) -> list[Pair]:
    """The problems that both models have been tested on, the largest gain first."""
    if evaluation.baseline is None:
        return []
    before = evaluation.baseline.counts
    found = [
        Pair(name, before[name], count)
        for name, count in evaluation.candidate.counts.items()
        if name in before
    ]
    return sorted(found, key=lambda pair: (-pair.gain, pair.problem))


def by_difficulty(
    before: Iterable[Verdict], after: Iterable[Verdict], how: Confidence = USUAL
) -> list[Group]:
    """Groups by how often the old model passed, without the pull of chance to the middle.

    A problem whose few samples happened to fail looks hard, and does better the next time even if
    nothing has changed. So one half of the old model's samples (even or odd) only says to which
    group a problem belongs, and the other half is what it is compared by; then the other way round,
    and a problem counts half in each. Empty where a problem has fewer than two samples.
    """
    old, new = _passes(before), _passes(after)
    halves: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for name in old.keys() & new.keys():
        later = _share(new[name].values())
        split = [[ok for n, ok in old[name].items() if n % 2 == parity] for parity in (0, 1)]
        if all(split):
            for known, measured in (split, reversed(split)):
                halves[_hardness(_share(known))][name].append((_share(measured), later))
    return [_group(name, halves[name], how) for name in _HARDNESS if name in halves]


def by_label(
    found: Sequence[Pair], problems: Mapping[str, Problem], how: Confidence = USUAL
) -> list[Group]:
    """Groups by what the problem set itself says (``meta.difficulty``); empty where it does not."""
    groups: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(dict)
    for pair in found:
        problem = problems.get(pair.problem)
        label = problem.meta.get("difficulty") if problem else None
        if isinstance(label, str | int | float):
            shares = pair.before[0] / pair.before[1], pair.after[0] / pair.after[1]
            groups[str(label)][pair.problem] = [shares]
    return [_group(name, group, how) for name, group in sorted(groups.items())]


def failures(before: Sequence[Verdict], after: Sequence[Verdict]) -> list[Failure]:
    """Every outcome that came up, in a fixed order: passed first, our own faults last."""
    old, new = (Counter({row.key: row.status for row in rows}.values()) for rows in (before, after))
    totals = [max(1, counts.total()) for counts in (old, new)]
    return [
        Failure(
            status, name, old[status], new[status], old[status] / totals[0], new[status] / totals[1]
        )
        for status, name in STATUS.items()
        if old[status] or new[status]
    ]


_HARDNESS = ("never solved", "sometimes solved", "always solved")


def _hardness(share: float) -> str:
    return _HARDNESS[0 if share == 0 else 2 if share == 1 else 1]


def _passes(verdicts: Iterable[Verdict]) -> Shares:
    found: Shares = defaultdict(dict)
    for row in verdicts:
        if row.status != "infra_error":
            found[row.problem_id][row.sample] = row.passed
    return dict(found)


def _share(passes: Iterable[bool]) -> float:
    values = list(passes)
    return sum(values) / len(values)


def _group(
    name: str, problems: Mapping[str, Sequence[tuple[float, float]]], how: Confidence
) -> Group:
    shares = np.array([np.mean(halves, axis=0) for halves in problems.values()])
    weights = np.array([len(halves) for halves in problems.values()], dtype=np.float64)
    before, after = np.average(shares, axis=0, weights=weights)
    gain = float(after - before)
    # The mean of a ratio, linearised: what a problem's weight and difference move it by.
    moved = gain + weights / weights.mean() * (shares[:, 1] - shares[:, 0] - gain)
    low, high = difference_interval(np.round(moved, 12), how)
    return Group(name, len(problems), float(before), float(after), gain, float(low), float(high))
