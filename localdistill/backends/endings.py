"""Where a completion ends, besides its end token and its length.

One ``Watcher`` follows one sample, a token at a time; it knows no model and no decoder. It costs
about a microsecond a token: tokens are looked at closely only where one may make a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from localdistill.backends.code_blocks import CodeBlocks
from localdistill.backends.repetition import Repetition
from localdistill.backends.thinking_watch import ThinkingWatch
from localdistill.sampling import Sampling
from localdistill.thinking import Parts, divide


class Watcher:
    """Says when one sample is to end, and divides its text.

    Args:
        sampling: which endings are wanted, and the budget for thinking.
        thinking_opened: the prompt ends inside of thinking (``thinking.opened_by``).
        closing: the tokens of ``thinking.CLOSING``. Without them the budget does nothing.
        entry_point: what a program must define to be one, for ``stop_at_code``.
    """

    def __init__(
        self,
        sampling: Sampling,
        *,
        thinking_opened: bool = False,
        closing: Sequence[int] = (),
        entry_point: str | None = None,
    ) -> None:
        self._opened = thinking_opened
        self._loop = Repetition() if sampling.end_loops else None
        self._blocks = CodeBlocks(entry_point) if sampling.stop_at_code else None
        self._thinking: ThinkingWatch | None = None
        if self._blocks is not None or sampling.max_thinking_tokens is not None:
            self._thinking = ThinkingWatch(
                opened=thinking_opened, budget=sampling.max_thinking_tokens, closing=closing
            )
        # The token that must come next, in place of one that is drawn; None: draw.
        self.forced: int | None = None
        self._cut = False

    def feed(self, token: int, piece: bytes) -> Literal["code_block", "repetition"] | None:
        """Take the next token, drawn or forced, and its bytes; what ends the sample with it.

        ``piece`` is the token's part of the text that is later given to ``divide``. It must hold
        ``<think>`` and ``</think>`` even where the vocabulary takes them for control tokens. End
        tokens are not fed. After an end, nothing may be fed any more.
        """
        if self._loop is not None and self._loop.feed(token, piece):
            return "repetition"
        thinking = self._thinking
        if thinking is not None:
            piece = thinking.feed(piece)
            self.forced = thinking.forced
            if thinking.over:
                self._thinking = None
        if self._blocks is not None and piece and self._blocks.feed(piece):
            self._cut = True
            return "code_block"
        return None

    def divide(self, text: str) -> Parts:
        """The parts of the sample's whole text, as ``thinking.divide`` has them.

        After an end by ``code_block`` the answer ends with the closing fence.
        """
        parts = divide(text, opened=self._opened)
        if self._cut and self._blocks is not None:
            parts = parts._replace(answer=self._blocks.cut(parts.answer))
        return parts
