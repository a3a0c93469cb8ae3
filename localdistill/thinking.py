"""The part of a thinking model's text that comes before its answer: ``<think>`` ... ``</think>``.

It is thinking only at the beginning of the text, after nothing but blanks. Anywhere else the tags
are words like any other: an answer may well be about them.
"""

from __future__ import annotations

import re

from localdistill.fences import BlockReader

OPEN, CLOSE = "<think>", "</think>"
# What ends the thinking of a model that would go on: the form in which Qwen3, DeepSeek-R1 and their
# relatives close it themselves.
CLOSING = f"\n{CLOSE}\n\n"

_OPENED = re.compile(rf"[ \t\r\n\f\v]*{OPEN}")
# Made to close, some models close once more: a second tag is not the answer's beginning.
_CLOSED = re.compile(rf"{CLOSE}(?:\s*{CLOSE})*")
_ALONE = re.compile(rf"^[ \t]*{CLOSE}[ \t]*$", re.MULTILINE)


def opened_by(prompt: str) -> bool:
    """Whether a rendered prompt ends inside of thinking, so that a completion begins there."""
    return prompt.rstrip().endswith(OPEN)


def split_thinking(text: str, *, opened: bool = False) -> tuple[str | None, str]:
    """Thinking without its tags, and what follows it.

    Args:
        text: all that a model said.
        opened: the prompt has opened the thinking already (``opened_by``).

    Returns:
        Thinking, None where there is none, and the answer, empty where the thinking was never
        closed. Blanks around the thinking and empty lines before the answer are left out. A text
        without thinking comes back as it is.
    """
    tag = _OPENED.match(text)
    if tag is None and not opened:
        return None, text
    start = tag.end() if tag else 0
    close = _CLOSED.search(text, start)
    if close is None:
        return text[start:].strip(), ""
    return text[start : close.start()].strip(), text[close.end() :].lstrip("\r\n")


def answer_of(text: str) -> str:
    """The answer in a text of any origin, with ``\\n`` between its lines.

    Where a chat template opens the thinking, some servers give a text that begins inside of it: it
    has no opening tag, and the closing tag has a line to itself outside of any block of code.
    """
    thinking, answer = split_thinking(text)
    if thinking is not None:
        return answer
    alone = _ALONE.search(text)
    if alone is None:
        return text
    before = text[: alone.start()]
    reader = BlockReader()
    for line in before.split("\n"):
        reader.read(line)
    if OPEN in before or reader.inside:
        return text
    return split_thinking(CLOSE + text[alone.end() :], opened=True)[1]
