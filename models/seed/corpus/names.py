"""Names of functions and parameters."""

from __future__ import annotations

import random

PARAMETERS = {
    "ints": ("nums", "numbers", "series", "items", "data"),
    "int": ("n", "limit", "m"),
    "number": ("n", "x", "a"),
    "natural": ("n", "number", "num"),
    "words": ("words", "names", "strings"),
    "sentence": ("text", "sentence", "line"),
    "text": ("text", "s", "string"),
    "dict": ("d", "scores", "table"),
    "rows": ("rows", "grid", "matrix"),
}
VERBS = ("get", "find", "compute", "make", "build", "process", "check", "solve", "pick", "collect",
         "calc", "select", "reduce", "apply", "evaluate", "create")  # fmt: skip
NOUNS = ("result", "value", "answer", "output", "items", "data", "total", "selection", "summary",
         "target", "report", "score", "outcome", "series", "group", "sample")  # fmt: skip
SECOND = {"ints": "others", "number": "b"}


def parameters(rng: random.Random, types: tuple[str, ...]) -> tuple[str, ...]:
    """One name for each parameter; two of a type get different names."""
    first = rng.choice(PARAMETERS[types[0]])
    if len(types) == 1:
        return (first,)
    return ("a", "b") if rng.random() < 0.5 else (first, SECOND[types[1]])


def function(rng: random.Random) -> str:
    """A neutral name, which says nothing about the task: "find_total"."""
    return f"{rng.choice(VERBS)}_{rng.choice(NOUNS)}"
