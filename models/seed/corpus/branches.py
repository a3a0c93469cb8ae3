"""Branches: one number in, another out, by cases; and loops that shrink a number."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from corpus.misconceptions import usual
from corpus.pipelines import choose_constants, fill
from corpus.primitives import INT_CONDITIONS, INT_VALUES, Condition, Value
from corpus.task import Signature, Task

CASES = tuple(c for c in INT_CONDITIONS if c.name not in ("at_most", "differs", "between"))
RESULTS = tuple(v for v in INT_VALUES if v.name not in ("floor", "cap", "raise"))
SHRINKS = (
    Value("halve", "{x} // {k}", "", "floor-divides it by {k}", (2, 3), ("{x} - {k}",)),
    Value("decrease", "{x} - {k}", "", "subtracts {k} from it", (2, 3, 4, 5),
          ("{x} - {k} - 1", "{x} // {k}")),
    Value("drop", "{x} // 10", "", "removes its last digit", (), ("{x} // 100",)),
)  # fmt: skip
SHRINK_ENDS = (
    ("steps", "how many steps that takes", "steps = 0", "{o}steps += 1", "steps"),
    ("value", "the number that is left", "", "{o}", "{x}"),
    ("path", "the list of all numbers it passes (without the start)", "path = []",
     "{o}path.append({x})", "path"),
    ("added", "the sum of all numbers it passes (without the start)", "total = 0",
     "{o}total += {x}", "total"),
    ("before", "the list of the numbers it had before each step", "path = []",
     "path.append({x})\n{o}", "path"),
)  # fmt: skip


@dataclass(frozen=True)
class Branch:
    """If the condition holds one value, else another."""

    condition: Condition
    then: Value
    otherwise: Value
    parts: int = 3

    @property
    def types(self) -> tuple[str, ...]:
        """Of the parameters."""
        return ("number",)

    @property
    def signature(self) -> Signature:
        """What is held out together."""
        return ("branch", *(part.unit for part in (self.condition, self.then, self.otherwise)))

    @property
    def kind(self) -> str:
        """The shape of the task."""
        return f"branch/{self.condition.name}"


@dataclass(frozen=True)
class Shrink:
    """While the number is above a bound, one step if the condition holds and else another."""

    condition: Condition
    first: Value
    second: Value
    end: tuple[str, str, str, str, str]
    parts: int = 3

    @property
    def types(self) -> tuple[str, ...]:
        """Of the parameters."""
        return ("int",)

    @property
    def signature(self) -> Signature:
        """What is held out together."""
        return ("shrink", self.condition.unit, self.first.name, self.second.name, self.end[0])

    @property
    def kind(self) -> str:
        """The shape of the task."""
        return f"shrink/{self.end[0]}"


def compositions() -> Iterator[Branch | Shrink]:
    """Every branch and every shrinking loop, in a fixed order."""
    for condition in CASES:
        for then in RESULTS:
            for otherwise in RESULTS:
                if then is not otherwise:
                    yield Branch(condition, then, otherwise)
    for condition in CASES:
        for first in SHRINKS:
            for second in SHRINKS:
                if first is not second:
                    for end in SHRINK_ENDS:
                        yield Shrink(condition, first, second, end)


def build(composition: Branch | Shrink, rng: random.Random, params: tuple[str, ...]) -> Task:
    """Choose the constants and write everything out."""
    write = _branch if isinstance(composition, Branch) else _shrink
    return write(composition, rng, params)  # type: ignore[arg-type]


def _clause(condition: Condition, constants: dict[str, str]) -> str:
    k = constants.get("k", "")
    says = condition.special.get(int(k), condition.says) if k.isdigit() else condition.says
    text = fill(says[0], **constants)
    changes = (("that are ", "is "), ("whose last", "has a last"), ("that leave", "leaves"))
    for start, new in changes:
        if text.startswith(start):
            return text.replace(start, new, 1).replace("digit is", "digit of")
    return f"is {text}"


def _branch(composition: Branch, rng: random.Random, params: tuple[str, ...]) -> Task:
    (x,) = params
    condition, then, otherwise = composition.condition, composition.then, composition.otherwise
    kc, kt, ko = (choose_constants(rng, part) for part in (condition, then, otherwise))
    c = fill(condition.code, x=x, **kc)
    t, o = fill(then.code, x=x, **kt), fill(otherwise.code, x=x, **ko)
    when = _clause(condition, kc)
    each, other = fill(then.each, **kt), fill(otherwise.each, **ko)

    def both(c: str, t: str, o: str) -> list[str]:
        return [f"if {c}:\n    return {t}\nreturn {o}", f"return {t} if {c} else {o}"]

    by_part = {
        condition.identity: [both(fill(w, x=x, **kc), t, o) for w in condition.wrong],
        then.identity: [both(c, fill(w, x=x, **kt), o) for w in then.wrong],
        otherwise.identity: [both(c, t, fill(w, x=x, **ko)) for w in otherwise.wrong],
    }
    mistakes = both(c, o, t)
    mistakes += [body for ways in by_part.values() for way in ways for body in way]
    requests = (
        f"returns `{x}` {each} if it {when}, and otherwise `{x}` {other}",
        f"returns `{x}` {other}, but `{x}` {each} when it {when}",
        f"gives back `{x}` {each} when `{x}` {when}, else `{x}` {other}",
    )
    return Task(composition.kind, composition.signature, ("number",), params, requests,
                tuple(both(c, t, o)), tuple(dict.fromkeys(mistakes)), usual(by_part))  # fmt: skip


def _shrink(composition: Shrink, rng: random.Random, params: tuple[str, ...]) -> Task:
    (x,) = params
    condition, first, second = composition.condition, composition.first, composition.second
    kc, k1, k2 = (choose_constants(rng, part) for part in (condition, first, second))
    bound = rng.choice((0, 1, 5, 10, 20))
    _, says, start, step, result = composition.end
    c = fill(condition.code, x=x, **kc)
    f, s = fill(first.code, x=x, **k1), fill(second.code, x=x, **k2)

    def body(test: str, c: str, f: str, s: str) -> str:
        choice = f"if {c}:\n    {x} = {f}\nelse:\n    {x} = {s}\n"
        inner = fill(step, o=choice, x=x).rstrip("\n").splitlines()
        loop = [f"while {x} {test}:", *("    " + line for line in inner)]
        return "\n".join([*start.splitlines(), *loop, f"return {fill(result, x=x)}"])

    by_part = {
        "shrink bound": [[body(f">= {bound or 1}", c, f, s)]],
        condition.identity: [
            [body(f"> {bound}", fill(w, x=x, **kc), f, s)] for w in condition.wrong
        ],
        first.identity: [[body(f"> {bound}", c, fill(w, x=x, **k1), s)] for w in first.wrong],
        second.identity: [[body(f"> {bound}", c, f, fill(w, x=x, **k2))] for w in second.wrong],
    }
    mistakes = [body(f"> {bound}", c, s, f)]
    mistakes += [body for ways in by_part.values() for way in ways for body in way]
    when = _clause(condition, kc)
    do, other = fill(first.do, **k1), fill(second.do, **k2)
    requests = (
        f"starts from `{x}` and, while it is greater than {bound}, {do} if it {when} and else "
        f"{other}, and returns {says}",
        f"repeats, as long as `{x}` is greater than {bound}: {do} if it {when}, otherwise {other}; "
        f"it returns {says}",
    )
    return Task(composition.kind, composition.signature, ("int",), params, requests,
                (body(f"> {bound}", c, f, s),), tuple(dict.fromkeys(mistakes)),
                usual(by_part))  # fmt: skip
