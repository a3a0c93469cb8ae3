"""How a task is asked and answered in a chat."""

from __future__ import annotations

import random

from corpus.task import Task

REQUESTS = (
    "Write a Python function `{call}` that {what}.",
    "Write a Python function `{call}` that {what}.",
    "Please write a Python function `{call}` that {what}.",
    "I need a Python function `{call}` that {what}.",
    "Write `{call}` in Python: a function that {what}.",
)
OPENINGS = ("Here is the function:\n\n", "This function does it:\n\n", "Sure, here it is:\n\n")
OPENING_SHARE = 0.2


def ask(rng: random.Random, task: Task, name: str) -> str:
    """The user's message."""
    call = f"{name}({', '.join(task.params)})"
    return rng.choice(REQUESTS).format(call=call, what=rng.choice(task.requests))


def answer(rng: random.Random, code: str) -> str:
    """The assistant's message."""
    opening = rng.choice(OPENINGS) if rng.random() < OPENING_SHARE else ""
    return f"{opening}```python\n{code}\n```"
