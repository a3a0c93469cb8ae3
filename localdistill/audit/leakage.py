"""Problems of one set that stand in another in other words.

A model that was trained on an evaluation problem is not tested by it. Three signs are looked at,
each of which renaming and reordering leave as they are:

- *prompt*: the words, weighted by how rare they are in both sets (TF-IDF, Salton and Buckley 1988,
  Inf. Process. Manag. 24; cosine), single words and pairs of neighbours;
- *reference*: the statements of the known solution without names;
- *tests*: the cases, without those that several problems have by chance.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from localdistill.audit import canonical
from localdistill.types import Problem

_PROMPT = 0.9  # cosine from which the words alone are enough
_ALIKE = 0.6  # cosine that makes another sign believable
_STATEMENTS = 0.9  # share of the statements that are equal
_LEAST_SIZE = 25  # nodes of a reference, below which equal ones prove nothing alone
_CASES = 0.5  # share of the cases that are equal
_COMMON = 3  # problems, from which a case is one that everybody asks for
_KEY_TERMS = 12  # of the heaviest terms of a prompt; those that are alike share some of them
_COMMON_KEY = 50  # problems, above which a term or statement is none to look a problem up by


@dataclass(frozen=True)
class Pair:
    """A problem, the one of the other set that it is like, and by what sign."""

    problem: str
    like: str
    sign: str  # prompt, reference or tests
    likeness: float  # 0 to 1, of that sign


@dataclass(frozen=True)
class _Seen:
    words: Mapping[Hashable, float]  # of length 1
    statements: Counter[str]
    size: int
    cases: set[str]


def near_duplicates(problems: Sequence[Problem], others: Sequence[Problem]) -> list[Pair]:
    """Those of ``problems`` that ``others`` has as well, each with the one that it is most like.

    In the order of ``problems``. Costs time in proportion to the pairs that share a rare word, a
    statement or a case.
    """
    every = [*problems, *others]
    terms = [_terms(canonical.clauses(problem)) for problem in every]
    weights = _rarity(terms)
    cases = [canonical.cases(problem) for problem in every]
    often = Counter(case for each in cases for case in each)
    seen = [
        _Seen(
            words=_unit({term: weights[term] for term in own_terms}),
            statements=canonical.statements(problem.reference),
            size=canonical.size(problem.reference),
            cases={case for case in own if often[case] < _COMMON},
        )
        for problem, own_terms, own in zip(every, terms, cases, strict=True)
    ]
    mine, theirs = seen[: len(problems)], seen[len(problems) :]
    index = _index(theirs)
    found = []
    for problem, one in zip(problems, mine, strict=True):
        pairs = [
            Pair(problem.id, others[number].id, *sign)
            for number in sorted(_candidates(one, index))
            for sign in [_sign(one, theirs[number])]
            if sign is not None
        ]
        if pairs:
            found.append(max(pairs, key=lambda pair: pair.likeness))
    return found


def _sign(one: _Seen, other: _Seen) -> tuple[str, float] | None:
    prompt = sum(weight * other.words.get(term, 0.0) for term, weight in one.words.items())
    if prompt >= _PROMPT:
        return "prompt", prompt
    shared = len(one.cases & other.cases)
    least = min(len(one.cases), len(other.cases))
    if least and shared >= 2 and shared / least >= _CASES:
        return "tests", shared / least
    both = (one.statements & other.statements).total()
    all_of_them = max(one.statements.total(), other.statements.total())
    if all_of_them and both / all_of_them >= _STATEMENTS:
        large = min(one.size, other.size) >= _LEAST_SIZE and all_of_them > 2
        if large or prompt >= _ALIKE:
            return "reference", both / all_of_them
    return None


def _terms(clauses: Iterable[Sequence[str]]) -> set[Hashable]:
    """Words and pairs of them, each once: repeating one makes no problem another."""
    # Pairs keep "sum of squares" from being "square of sums".
    return {term for words in clauses for term in (*words, *itertools.pairwise(words))}


def _rarity(documents: Sequence[set[Hashable]]) -> dict[Hashable, float]:
    counts = Counter(term for document in documents for term in document)
    # A term that is in all problems of two alike sets still says a little.
    return {term: math.log((1 + len(documents)) / count) for term, count in counts.items()}


def _unit(vector: dict[Hashable, float]) -> dict[Hashable, float]:
    length = math.sqrt(sum(value * value for value in vector.values()))
    return {term: value / length for term, value in vector.items()} if length else {}


def _index(seen: Sequence[_Seen]) -> dict[Hashable, list[int]]:
    """Problems by their rarest words, their cases and their statements.

    Without what very many have: two that share nothing else are not one problem, and looking at
    all of them would take time in proportion to the product of both sets.
    """
    index: dict[Hashable, list[int]] = defaultdict(list)
    for number, one in enumerate(seen):
        for key in _keys(one):
            index[key].append(number)
    most = max(_COMMON_KEY, len(seen) // 100)
    return {key: numbers for key, numbers in index.items() if len(numbers) <= most}


def _keys(one: _Seen) -> set[Hashable]:
    heaviest = sorted(one.words, key=lambda term: -one.words[term])[:_KEY_TERMS]
    cases = (("case", case) for case in one.cases)
    statements = (("statement", statement) for statement in one.statements)
    return {*heaviest, *cases, *statements}


def _candidates(one: _Seen, index: Mapping[Hashable, list[int]]) -> set[int]:
    return {number for key in _keys(one) for number in index.get(key, ())}
