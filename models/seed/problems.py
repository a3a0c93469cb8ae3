"""The three problem sets: compositions that are held out of the corpus, with tests that tell."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import check_heldout
from corpus import behaviour, names, speech, tasks
from corpus.generate import Corpus, HeldOut
from corpus.inputs import arguments
from corpus.task import Signature, Task

SIZES = {"train": 400, "dev": 120, "eval": 200}
SEED = 4_711
CASES = (6, 9)  # tests of one problem, at least and at most
CANDIDATES = 120  # inputs from which the tests are chosen
LARGEST = 10**9  # no number in a test is larger
LICENCE = "Apache-2.0"


@dataclass(frozen=True)
class Problem:
    """One problem, and what must not occur elsewhere."""

    row: dict[str, Any]
    types: tuple[str, ...]  # of the parameters
    signature: Signature
    fingerprint: str
    shapes: tuple[str, ...]


def make() -> dict[str, list[Problem]]:
    """All three sets, always the same."""
    rng = random.Random(SEED)
    usual = _usual_behaviours()
    sets: dict[str, list[Problem]] = {name: [] for name in SIZES}
    order = [name for name, size in SIZES.items() for _ in range(size)]
    rng.shuffle(order)
    used: set[str | Signature] = set()
    for composition in _by_turns(rng):
        if not order:
            break
        if composition.signature in used:
            continue
        task = tasks.build(composition, rng)
        number = len(sets[order[-1]]) + 1
        problem = _problem(rng, task, f"{order[-1]}/{number:04d}")
        if problem is None or usual[problem.fingerprint] - {task.signature}:
            continue
        if used.intersection((problem.fingerprint, *problem.shapes)):
            continue
        used.update((task.signature, problem.fingerprint, *problem.shapes))
        sets[order.pop()].append(problem)
    return sets


def write(sets: dict[str, list[Problem]], folder: Path) -> None:
    """One JSONL file for each set."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, problems in sets.items():
        lines = "".join(json.dumps(p.row, ensure_ascii=False) + "\n" for p in problems)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")


def held_out(sets: dict[str, list[Problem]]) -> HeldOut:
    """What the corpus must not contain: the problems of all sets."""
    problems = [p for rows in sets.values() for p in rows]
    return HeldOut(
        frozenset(p.signature for p in problems),
        frozenset(p.fingerprint for p in problems),
        frozenset(shape for p in problems for shape in p.shapes),
    )


def check(sets: dict[str, list[Problem]], corpus: Corpus) -> None:
    """Raise `NotHeldOut` unless the sets differ from each other and from the whole corpus."""
    programs = {name: [(p.row["reference"], p.types) for p in rows] for name, rows in sets.items()}
    check_heldout.check(programs["eval"], programs["train"] + programs["dev"])
    check_heldout.check(programs["dev"], programs["train"])
    everything = [program for rows in programs.values() for program in rows]
    check_heldout.check(everything, ((e.code, e.types) for e in corpus.examples))


def _usual_behaviours() -> dict[str, set[Signature]]:
    """Which compositions behave how, with two draws of constants for each."""
    rng = random.Random(SEED + 1)
    found: dict[str, set[Signature]] = defaultdict(set)
    for composition in tasks.compositions():
        for _ in range(2):
            task = tasks.build(composition, rng)
            code = task.function("f", task.solutions[0])
            found[behaviour.fingerprint(code, task.types)].add(task.signature)
    return found


def _by_turns(rng: random.Random) -> list[tasks.Anything]:
    """Compositions of two steps or more, in an order in which every kind comes early."""
    kinds: dict[str, list[tasks.Anything]] = defaultdict(list)
    for composition in tasks.compositions():
        if composition.parts >= 2:
            kinds[composition.kind].append(composition)
    ordered = []
    queues = list(kinds.values())
    for queue in queues:
        rng.shuffle(queue)
    while queues:
        rng.shuffle(queues)
        ordered += [queue.pop() for queue in queues]
        queues = [queue for queue in queues if queue]
    return ordered


def _problem(rng: random.Random, task: Task, name: str) -> Problem | None:
    """The problem, or None if its answers are too uniform or its mistakes cannot be caught."""
    entry_point = names.function(rng)
    codes = [task.function(entry_point, body) for body in task.solutions]
    cases = _cases(rng, task, codes[0], entry_point)
    if cases is None:
        return None
    row = {
        "id": name,
        "prompt": speech.ask(rng, task, entry_point),
        "entry_point": entry_point,
        "reference": rng.choice(codes),
        "tests": {"kind": "call", "cases": cases},
        "meta": {"kind": task.kind, "source": "localdistill seed", "licence": LICENCE},
    }
    shapes = tuple(behaviour.shape(code) for code in codes)
    fingerprints = {behaviour.fingerprint(code, task.types) for code in codes}
    if len(fingerprints) != 1:
        raise ValueError(f"solutions that disagree: {codes}")
    return Problem(row, task.types, task.signature, fingerprints.pop(), shapes)


def _cases(
    rng: random.Random, task: Task, code: str, entry_point: str
) -> list[dict[str, Any]] | None:
    """Inputs that tell the solution from every mistake that differs from it at all."""
    call = behaviour.function(code)
    candidates = arguments(task.types, CANDIDATES, rng.randrange(10**9))
    expected = [behaviour.outcome(call, args) for args in candidates]
    usable = [i for i, text in enumerate(expected) if _is_plain(text)]
    if len({expected[i] for i in usable}) < 4:
        return None
    wrong_outcomes = []
    for body in task.mistakes:
        wrong = behaviour.function(task.function(entry_point, body))
        wrong_outcomes.append([behaviour.outcome(wrong, args) for args in candidates])
    left = [w for w in wrong_outcomes if any(w[i] != expected[i] for i in usable)]
    chosen: list[int] = []
    while len(chosen) < CASES[1] and (left or len(chosen) < CASES[0]):
        rest = [i for i in usable if i not in chosen]
        if not rest:
            return None
        best = max(rest, key=lambda i: (sum(w[i] != expected[i] for w in left), -i))
        chosen.append(best)
        left = [w for w in left if w[best] == expected[best]]
    if left or len({expected[i] for i in chosen}) < 3:
        return None
    return [{"args": candidates[i], "expected": call(*candidates[i])} for i in sorted(chosen)]


def _is_plain(outcome: str) -> bool:
    """Whether the result is no exception, short, and has no huge number in it."""
    digits = "".join(c if c.isdigit() else " " for c in outcome).split()
    small = all(int(d) < LARGEST for d in digits)
    return small and not outcome.startswith("!") and len(outcome) < 200
