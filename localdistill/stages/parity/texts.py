"""Conversations to compare on where a round has left none: about functions of this package.

They are natural code with comments, there wherever the package is, and no model was trained on
them by us.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from localdistill import cores, fences, jsonl, memory, metrics, sampling, thinking
from localdistill.types import Message, TrainingExample

_MODULES = (metrics, jsonl, fences, memory, thinking, sampling, cores)
_LONGEST = 2400  # characters of one answer


def own_conversations() -> Iterator[TrainingExample]:
    """A question and its answer for each documented function, always in the same order."""
    for module in _MODULES:
        functions = inspect.getmembers(module, inspect.isfunction)
        for name, function in sorted(functions, key=lambda entry: _line(entry[1])):
            about = inspect.getdoc(function)
            if function.__module__ != module.__name__ or not about:
                continue
            source = inspect.getsource(function)
            if len(source) > _LONGEST:
                continue
            question = f"Write the Python function `{name}`. {about.splitlines()[0]}"
            yield TrainingExample(
                messages=[
                    Message(role="user", content=question),
                    Message(role="assistant", content=f"```python\n{source}```"),
                ],
                problem_id=f"{module.__name__}.{name}",
                sample=0,
                strategy="none",
            )


def _line(function: object) -> int:
    code = getattr(function, "__code__", None)
    return int(getattr(code, "co_firstlineno", 0))
