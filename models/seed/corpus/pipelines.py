"""Pipelines: take elements from a source, keep some, change each, end with a list, sum ..."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from corpus.ends import ENDS, End
from corpus.misconceptions import usual
from corpus.primitives import Condition, Constant, Value
from corpus.sources import SOURCES, Source
from corpus.task import Signature, Task

AS_IS = Value("same", "{x}", "", "")
ALL = Condition("all", "", ("",))


def fill(template: str, **parts: str) -> str:
    """Replace "{x}" by the part named x; braces that name no part stay."""
    return re.sub(r"\{([a-z])\}", lambda m: parts.get(m[1], m[0]), template)


@dataclass(frozen=True)
class Composition:
    """One source, condition, value and end that fit together."""

    source: Source
    condition: Condition
    value: Value
    end: End

    @property
    def types(self) -> tuple[str, ...]:
        """Of the parameters."""
        return self.source.types

    @property
    def signature(self) -> Signature:
        """What is held out together."""
        return (self.source.name, self.condition.unit, self.value.unit, self.end.name)

    @property
    def kind(self) -> str:
        """The shape: which steps there are and how it ends."""
        steps = ["filter"] * (self.condition is not ALL) + ["map"] * (self.value is not AS_IS)
        return f"{self.source.name}/{'-'.join(steps) or 'plain'}/{self.end.name}"

    @property
    def parts(self) -> int:
        """How many steps are not trivial."""
        return (self.condition is not ALL) + (self.value is not AS_IS) + (self.end.name != "list")


def _fits(source: Source, condition: Condition, value: Value, end: End) -> bool:
    element = source.element if value.gives == "same" else value.gives
    if end.takes == "cond":
        return value is AS_IS and condition is not ALL
    if not element or (condition is ALL and (value is AS_IS or end.name == "first")):
        return False
    if source.name == "indexed" and "{x}" not in condition.code + value.code:
        return False  # that would be a task on plain numbers
    if end.takes == "entry":
        return source.name == "entries" and not value.name.startswith("key")
    if source.name == "characters" and end.name == "longest":
        return False
    return end.takes in ("any", element)


def compositions() -> Iterator[Composition]:
    """Every pipeline there is, in a fixed order."""
    for source in SOURCES:
        for condition in (ALL, *source.conditions):
            for value in (AS_IS, *source.values):
                for end in ENDS:
                    if _fits(source, condition, value, end):
                        yield Composition(source, condition, value, end)


def _quote(constant: Constant) -> str:
    return f'"{constant}"' if isinstance(constant, str) else str(constant)


def choose_constants(rng: random.Random, part: Condition | Value) -> dict[str, str]:
    """What `{k}` and `{j}` stand for in the part's templates; nothing if it has no constant."""
    if not part.constants:
        return {}
    k = rng.choice(part.constants)
    return {"k": _quote(k), "j": str(k + 5) if isinstance(k, int) else ""}


def _body(
    source: Source, end: End, iterable: str, target: str, x: str, c: str, v: str, loop: bool
) -> str:
    """The function's body in one of its two styles; "" if the end has no such style."""
    if not loop:
        header = f"for {target} in {iterable}"
        kept = f"{header} if {c}" if c else header
        if not end.short:
            return ""
        return "return " + fill(end.short, g=f"{v} {kept}", h=kept, f=header, c=c, v=v, x=x)
    start, step, finish = (fill(t, v=v, x=x) for t in (end.start, end.step, end.finish))
    inner = step.splitlines()
    if c:
        inner = [f"if {c}:", *("    " + line for line in inner)]
    lines = [*start.splitlines(), f"for {target} in {iterable}:", *("    " + s for s in inner)]
    return "\n".join([*lines, finish])


def _wrong_ends(end: End) -> Iterator[tuple[End, bool]]:
    """Ends with one mistake, and whether it is in the loop style."""
    for short in end.wrong:
        yield End(end.name, end.takes, end.says, short=short), False
    for start, step, finish in end.wrong_loop:
        yield End(end.name, end.takes, end.says, "", start, step, finish), True
    if end.start and end.name not in ("any", "first"):  # returns inside the loop
        yield (
            End(end.name, end.takes, end.says, "", end.start, f"{end.step}\n{end.finish}", ""),
            True,
        )


def build(composition: Composition, rng: random.Random, params: tuple[str, ...]) -> Task:
    """Choose constants and variable names, and write everything out."""
    source, condition, value, end = (
        composition.source, composition.condition, composition.value, composition.end
    )  # fmt: skip
    x, y = rng.choice(source.names)
    names = {"x": x, "y": y}
    of_condition, of_value = choose_constants(rng, condition), choose_constants(rng, value)
    inputs = dict(zip("ab", params, strict=False))
    iterable, target = fill(source.iterable, **inputs), source.target(x, y)
    c = fill(condition.code, **names, **of_condition)
    v = fill(value.code, **names, **of_value)

    def both(iterable: str, c: str, v: str) -> list[str]:
        return [
            body
            for loop in (False, True)
            if (body := _body(source, end, iterable, target, x, c, v, loop))
        ]

    by_part = {
        condition.identity: [
            both(iterable, fill(wrong, **names, **of_condition), v) for wrong in condition.wrong
        ],
        value.identity: [
            both(iterable, c, fill(wrong, **names, **of_value)) for wrong in value.wrong
        ],
        source.name: [both(fill(wrong, **inputs), c, v) for wrong in source.wrong],
    }
    ends = [
        (_body(source, wrong_end, iterable, target, x, c, v, loop), loop)
        for wrong_end, loop in _wrong_ends(end)
    ]
    usual_ends = [next((b for b, loop in ends if loop is style), "") for style in (False, True)]
    by_part[end.name] = [[body for body in usual_ends if body]]
    mistakes = [body for ways in by_part.values() for way in ways for body in way]
    mistakes += [body for body, _ in ends]
    if condition is not ALL and end.name != "any":  # forgets to filter
        mistakes += both(iterable, "", v)
    if value is not AS_IS:
        mistakes += both(iterable, c, x)  # forgets to change
    return Task(
        composition.kind,
        composition.signature,
        source.types,
        params,
        _requests(composition, rng, inputs, of_condition, of_value),
        tuple(both(iterable, c, v)),
        tuple(dict.fromkeys(mistakes)),
        usual(by_part),
    )


def _requests(
    composition: Composition,
    rng: random.Random,
    inputs: dict[str, str],
    of_condition: dict[str, str],
    of_value: dict[str, str],
) -> tuple[str, ...]:
    """Ways to ask for it, with the parameters in backquotes."""
    condition, value = composition.condition, composition.value
    quoted = {name: f"`{text}`" for name, text in inputs.items()}
    k = of_condition.get("k", "")
    says = condition.special.get(int(k), condition.says) if k.isdigit() else condition.says
    elements = fill(rng.choice(composition.source.says), **quoted)
    kept = f"{elements} {fill(rng.choice(says), **of_condition)}".rstrip()
    result = rng.choice(composition.end.says)
    each = fill(value.each, **of_value)
    do, do_one = (fill(value.do, e=e, **of_value) for e in ("each", "each one"))
    if value is AS_IS:
        return (f"returns {result} {kept}", f"takes {kept} and returns {result} them")
    return (
        f"returns {result} {kept}, each {each}",
        f"takes {kept}, {do} and returns {result} the results",
        f"goes over {kept}, {do_one}, and gives back {result} the results",
    )
