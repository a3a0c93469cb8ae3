"""Tells whether a completion's text is what the model said, or has gaps."""

from __future__ import annotations

from localdistill.problems.prompt import messages
from localdistill.types import Completion, Problem

_GAP = "\ufffd"  # what a decoder puts in place of bytes that are no character


def is_broken(row: Completion, problem: Problem) -> bool:
    """Whether its answer or its thinking holds U+FFFD, which the model will not have said.

    The bytes that it stands for are lost: of a character that was cut by the length, or of tokens
    that make none. Where the prompt has U+FFFD, a model may well say it, and nothing is broken.
    """
    if _GAP not in row.text and _GAP not in (row.thinking or ""):
        return False
    return not any(_GAP in message.content for message in messages(problem))
