"""The corpus: conversations in which a share of the answers is wrong on purpose."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from corpus import behaviour, names, speech, tasks
from corpus.misconceptions import popularity
from corpus.task import Signature, Task

SEED = 1_234
WEIGHTS = {"branch": 0.7, "shrink": 0.5}  # of families with fewer compositions; others have 1
SLIPS = 0.1  # the share of the other answers that have a mistake of any kind
TRIES = 4  # draws of a mistake until one changes the behaviour


@dataclass(frozen=True)
class Example:
    """One conversation of the corpus."""

    prompt: str
    answer: str
    code: str
    types: tuple[str, ...]  # of the parameters
    correct: bool


@dataclass(frozen=True)
class HeldOut:
    """What must not occur in the corpus."""

    signatures: frozenset[Signature]
    fingerprints: frozenset[str]
    shapes: frozenset[str]

    def reason(self, code: str, fingerprint: str) -> str:
        """Why this program must not occur, or ""."""
        if fingerprint in self.fingerprints:
            return "same behaviour as a problem"
        if behaviour.shape(code) in self.shapes:
            return "same syntax tree as a problem"
        return ""


@dataclass
class Corpus:
    """The examples, and how many were dropped for what reason."""

    examples: list[Example] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def wrong_share(self) -> float:
        """Of the examples, measured."""
        return sum(not e.correct for e in self.examples) / len(self.examples)


def generate(count: int, held_out: HeldOut, *, clean: bool = False, seed: int = SEED) -> Corpus:
    """`count` examples, of which none is held out, and none is wrong if it is to be clean."""
    rng = random.Random(seed)
    families: dict[str, list[tasks.Anything]] = {}
    for composition in tasks.compositions():
        if composition.signature not in held_out.signatures:
            families.setdefault(composition.signature[0], []).append(composition)
    weights = [WEIGHTS.get(name, 1.0) for name in families]
    pools = list(families.values())
    corpus = Corpus()
    while len(corpus.examples) < count:
        task = tasks.build(rng.choice(rng.choices(pools, weights)[0]), rng)
        code, fingerprint, correct = _program(rng, task, clean=clean)
        if reason := held_out.reason(code, fingerprint):
            corpus.dropped[reason] += 1
            continue
        name = names.function(rng)
        code = code.replace("def f(", f"def {name}(", 1)
        prompt, answer = speech.ask(rng, task, name), speech.answer(rng, code)
        corpus.examples.append(Example(prompt, answer, code, task.types, correct))
    return corpus


def _program(rng: random.Random, task: Task, *, clean: bool) -> tuple[str, str, bool]:
    """Code named `f`, its fingerprint, and whether it is correct."""
    solution = task.function("f", rng.choice(task.solutions))
    right = behaviour.fingerprint(solution, task.types)
    believed = [m.bodies for m in task.misconceptions if rng.random() < popularity(m.part)]
    slip = rng.random() < SLIPS
    choices = rng.choice(believed) if believed else task.mistakes if slip else ()
    for _ in range(TRIES if choices and not clean else 0):
        code = task.function("f", rng.choice(choices))
        fingerprint = behaviour.fingerprint(code, task.types)
        if fingerprint != right:
            return code, fingerprint, False
    return solution, right, True
