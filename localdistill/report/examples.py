"""Examples to look at: problems that are newly solved, or newly broken, with both answers."""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from localdistill.problems.extract import extract_code
from localdistill.report.problems import Pair
from localdistill.report.reading import Answers, Run
from localdistill.report.wording import STATUS, visible
from localdistill.types import Completion, Problem, Verdict

SHOWN = 4  # examples of each kind
_TRIED = 4  # samples of each model that a pair is looked for among
_MAX_LINES = 120  # of an answer
_MAX_LINE = 400  # characters
_MAX_PROMPT = 3000

Mark = Literal["same", "gone", "new"]


@dataclass(frozen=True)
class Side:
    """One answer as it is shown."""

    outcome: str  # in words
    passed: bool
    detail: str
    lines: list[tuple[Mark, str]]
    cut: bool


@dataclass(frozen=True)
class Example:
    """One problem with an old and a new answer."""

    problem: str
    prompt: str
    before: tuple[int, int]
    after: tuple[int, int]
    old: Side
    new: Side


@dataclass(frozen=True)
class Examples:
    """Of one kind: some of ``total``."""

    total: int
    shown: list[Example]


def newly_solved(run: Run, found: Sequence[Pair]) -> Examples:
    """Problems that the old model never solved and the new one does, the surest first."""
    wanted = [pair for pair in found if pair.before[0] == 0 < pair.after[0]]
    wanted.sort(key=lambda pair: (-pair.gain, pair.problem))
    return _examples(run, wanted)


def newly_broken(run: Run, found: Sequence[Pair]) -> Examples:
    """Problems that the old model solved and the new one never does, the worst loss first."""
    wanted = [pair for pair in found if pair.after[0] == 0 < pair.before[0]]
    wanted.sort(key=lambda pair: (pair.gain, pair.problem))
    return _examples(run, wanted)


def _examples(run: Run, wanted: Sequence[Pair]) -> Examples:
    # Only these: a large run holds more answers than need to be sorted.
    ids = {pair.problem for pair in wanted}
    old, new = (_by_problem(answers, ids) for answers in (run.before, run.after))
    shown: list[Example] = []
    for pair in wanted:
        problem = run.problems.get(pair.problem)
        if problem is None or not old[pair.problem] or not new[pair.problem]:
            continue
        shown.append(_example(pair, problem, old[pair.problem], new[pair.problem]))
        if len(shown) == SHOWN:
            break
    return Examples(len(wanted), shown)


Tested = list[tuple[Completion, Verdict]]


def _by_problem(answers: Answers, ids: set[str]) -> defaultdict[str, Tested]:
    verdicts = {row.key: row for row in answers.verdicts if row.problem_id in ids}
    found: defaultdict[str, Tested] = defaultdict(list)
    for row in sorted(answers.of(ids), key=lambda each: each.sample):
        if row.key in verdicts:
            found[row.problem_id].append((row, verdicts[row.key]))
    return found


def _example(pair: Pair, problem: Problem, old: Tested, new: Tested) -> Example:
    """The most alike two among answers that are typical of how each model fares."""
    solved = pair.after[0] > 0
    before, after = _typical(old, passed=not solved), _typical(new, passed=solved)
    best = max(
        ((one, other) for one in before for other in after),
        key=lambda both: _likeness(*(_shown(each[0], problem) for each in both)),
    )
    (first, first_verdict), (second, second_verdict) = best
    texts = [_lines(_shown(each, problem)) for each in (first, second)]
    marks = _marked(texts[0][0], texts[1][0])
    return Example(
        problem=pair.problem,
        prompt=visible(problem.prompt)[:_MAX_PROMPT],
        before=pair.before,
        after=pair.after,
        old=_side(first_verdict, marks[0], texts[0][1]),
        new=_side(second_verdict, marks[1], texts[1][1]),
    )


def _typical(tested: Tested, *, passed: bool) -> Tested:
    """Those that passed, or that failed in the way that is most frequent; a few of them."""
    of_kind = [each for each in tested if each[1].passed == passed] or tested
    if not passed:
        (common, _), *_ = Counter(verdict.status for _, verdict in of_kind).most_common(1)
        of_kind = [each for each in of_kind if each[1].status == common]
    return of_kind[:_TRIED]


def _shown(completion: Completion, problem: Problem) -> str:
    return visible(extract_code(completion.text, problem) or completion.text)


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one.splitlines(), other.splitlines()).ratio()


def _lines(text: str) -> tuple[list[str], bool]:
    lines = text.strip("\n").split("\n")
    cut = len(lines) > _MAX_LINES or any(len(line) > _MAX_LINE for line in lines)
    return [line[:_MAX_LINE] for line in lines[:_MAX_LINES]], cut


def _marked(
    old: list[str], new: list[str]
) -> tuple[list[tuple[Mark, str]], list[tuple[Mark, str]]]:
    before: list[tuple[Mark, str]] = [("gone", line) for line in old]
    after: list[tuple[Mark, str]] = [("new", line) for line in new]
    for block in difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
        for offset in range(block.size):
            before[block.a + offset] = ("same", old[block.a + offset])
            after[block.b + offset] = ("same", new[block.b + offset])
    return before, after


def _side(verdict: Verdict, lines: list[tuple[Mark, str]], cut: bool) -> Side:
    return Side(
        STATUS[verdict.status], verdict.passed, visible(verdict.detail)[:_MAX_LINE], lines, cut
    )
