"""Whether an answer looks as its question asks: form, not knowledge."""

from __future__ import annotations

import json
import re

from localdistill.stages.general.questions import Question

_FENCE = "```"


def flaws(question: Question, answer: str, *, ended: bool, loops: bool) -> list[str]:
    """What is wrong with the form of ``answer``; nothing where it is sound.

    ``ended``: the model came to an end by itself; ``loops``: it repeated itself until it was cut.
    """
    text = answer.strip()
    found = []
    if loops:
        found.append("repeats itself")
    elif not ended:
        found.append("does not come to an end")
    if not text:
        return [*found, "is empty"]
    if _FENCE in text:
        found.append("has a block of code that nobody asked for")
    fewest, most = question.words
    count = len(text.split())
    if not fewest <= count <= most:
        found.append(f"has {count} words, not {fewest} to {most}")
    if question.matches and not re.search(question.matches, text, re.IGNORECASE):
        found.append("does not say what was asked for")
    if question.lines is not None:
        lines = sum(1 for line in text.splitlines() if line.strip())
        if lines != question.lines:
            found.append(f"has {lines} lines, not {question.lines}")
    if question.is_json and not _is_json(text):
        found.append("is not JSON")
    return found


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
