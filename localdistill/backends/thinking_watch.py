"""Follows a thinking model's text while it grows: is it thinking, and has it thought enough?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from localdistill.thinking import CLOSE, OPEN

_OPEN, _CLOSE = OPEN.encode(), CLOSE.encode()


class ThinkingWatch:
    """Where in its text a sample is.

    Args:
        opened: the prompt has opened the thinking.
        budget: tokens that it may think, tags not counted; None for any number.
        closing: the tokens that end the thinking when the budget is used up.
    """

    def __init__(self, *, opened: bool, budget: int | None, closing: Sequence[int]) -> None:
        self.state: Literal["start", "thinking", "answer"] = "thinking" if opened else "start"
        self.forced: int | None = None  # the token that has to come next, if that is settled
        self._left = budget if closing else None
        self._closing: Iterator[int] = iter(closing)
        self._seen = b""  # all of the text at its start, the end of it in the thinking

    @property
    def over(self) -> bool:
        """Whether the answer has begun, and nothing is left to be forced."""
        return self.state == "answer" and self.forced is None

    def feed(self, piece: bytes) -> bytes:
        """Take the bytes of the next token; those that belong to the answer by now.

        They may hold earlier ones, about which it was not known yet.
        """
        if self.forced is not None:
            self.forced = next(self._closing, None)
        if self.state == "answer":
            return piece
        self._seen += piece
        if self.state == "start":
            return self._begin()
        # Only a token with the tag's last character can complete it.
        answer = self._close() if b">" in piece else b""
        if self.state == "thinking" and self._left is not None:
            self._left -= 1
            if self._left == 0:
                self.forced = next(self._closing, None)
        return answer

    def _begin(self) -> bytes:
        text = self._seen.lstrip()
        if text.startswith(_OPEN):
            self.state = "thinking"
            self._seen = text[len(_OPEN) :]
            return self._close()
        if _OPEN.startswith(text):
            return b""
        self.state = "answer"
        return self._seen

    def _close(self) -> bytes:
        _, tag, answer = self._seen.partition(_CLOSE)
        if tag:
            self.state = "answer"
            return answer
        self._seen = self._seen[1 - len(_CLOSE) :]
        return b""
