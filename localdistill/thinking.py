"""The part of a thinking model's text that comes before its answer: ``<think>`` ... ``</think>``.

It is thinking only at the beginning of the text, after nothing but blanks. Anywhere else the tags
are words like any other: an answer may well be about them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

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


class Parts(NamedTuple):
    """A model's text in four parts, which are the whole of it in this order."""

    before: str  # blanks and the opening tag, if it said one
    thinking: str | None  # without blanks around it; None where there is none
    after: str  # the closing tag, if it said one, and blanks around it
    answer: str

    @property
    def whole(self) -> str:
        """The text."""
        return self.before + (self.thinking or "") + self.after + self.answer


def divide(text: str, *, opened: bool = False) -> Parts:
    """The parts of ``text``, which is all that a model said.

    ``opened``: the prompt has opened the thinking already (``opened_by``). The answer is empty
    where the thinking was never closed. Empty lines before it belong to the closing tag.
    """
    tag = _OPENED.match(text)
    if tag is None and not opened:
        return Parts("", None, "", text)
    start = tag.end() if tag else 0
    close = _CLOSED.search(text, start)
    end = close.start() if close else len(text)
    answer = text[close.end() :].lstrip("\r\n") if close else ""
    thinking = text[start:end].strip()
    begin = end - len(text[start:end].lstrip())
    after = text[begin + len(thinking) : len(text) - len(answer)]
    return Parts(text[:begin], thinking, after, answer)


def split_thinking(text: str, *, opened: bool = False) -> tuple[str | None, str]:
    """Thinking without its tags, and what follows it: two of the parts that ``divide`` gives."""
    parts = divide(text, opened=opened)
    return parts.thinking, parts.answer


def rejoin(thinking: str, answer: str, before: str | None, after: str | None) -> str:
    """What a model said, of its parts as ``divide`` gives them.

    None for ``before`` or ``after``: it is not known. Then the thinking is put into tags as models
    write them themselves.
    """
    if before is None or after is None:
        thinking = thinking.strip()
        before = f"{OPEN}\n"
        after = after if thinking and after is not None else CLOSING
    return Parts(before, thinking, after, answer).whole


def after_prompt(prompt: str, said: str, *, as_drawn: bool) -> str:
    """What follows the rendered ``prompt`` where ``said`` is to be trained on.

    That is ``said`` where it was drawn after that prompt. Of another origin, it may not go on where
    a prompt that opens the thinking ends: a tag that opens it again is left out, and an answer
    without any thinking gets a closing tag before it.
    """
    if as_drawn or not opened_by(prompt):
        return said
    tag = _OPENED.match(said)
    if tag is None:
        return said if answer_of(said) != said else f"{CLOSING}{said}"
    blanks = prompt[prompt.rindex(OPEN) + len(OPEN) :]
    return said[tag.end() :].removeprefix(blanks)


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
