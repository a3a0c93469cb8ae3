"""A task: what a function must do, how to ask for it, how to do it and how to get it wrong."""

from __future__ import annotations

from dataclasses import dataclass

from corpus.misconceptions import Misconception

Signature = tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """One task with its constants chosen. Bodies are unindented Python; texts name the parameters.

    kind: the shape of the task, such as "numbers/filter-map/sum".
    signature: what it is composed of, without constants: the unit that is held out.
    mistakes: everything that can be done wrong; misconceptions: the usual ones, by part.
    requests: clauses that complete "Write a Python function `f(x)` that ...".
    """

    kind: str
    signature: Signature
    types: tuple[str, ...]
    params: tuple[str, ...]
    requests: tuple[str, ...]
    solutions: tuple[str, ...]
    mistakes: tuple[str, ...]
    misconceptions: tuple[Misconception, ...]

    def function(self, name: str, body: str) -> str:
        """The source of the whole function."""
        lines = "\n".join(f"    {line}" for line in body.splitlines())
        return f"def {name}({', '.join(self.params)}):\n{lines}"
